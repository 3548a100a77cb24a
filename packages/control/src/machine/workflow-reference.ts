/** `name[@version][/workflow]`: which entry point of which deployed module a job runs. */
import { mvmError, type DeployedModule } from '@mvm-ci/protocol';
import type { ModuleTable } from './module-table.ts';

/** An entry point of a deployed module. */
export interface WorkflowTarget {
  readonly module: DeployedModule;
  readonly workflow: string;
}

const pattern = /^(?<name>[^@/]+)(?:@(?<version>[^@/]+))?(?:\/(?<workflow>[^@/]+))?$/;

/**
 * The target of a reference: without a version the one deployed last, without a workflow the module's first one.
 *
 * @throws INVALID_ARGUMENT, MODULE_NOT_FOUND and WORKFLOW_NOT_FOUND, which name what there is
 */
export const resolveWorkflow = (modules: ModuleTable, reference: string): WorkflowTarget => {
  const { name, version, workflow } = parseReference(reference);
  const module = modules.find(name, version);
  if (module === undefined) throw moduleNotFound(modules, name, version);
  const entry = workflow ?? module.workflows[0];
  if (entry === undefined || !module.workflows.includes(entry)) throw workflowNotFound(module, workflow ?? '');
  return { module, workflow: entry };
};

const parseReference = (reference: string): { name: string; version: string | null; workflow: string | null } => {
  const groups = pattern.exec(reference)?.groups;
  const name = groups?.['name'];
  if (name === undefined) {
    throw mvmError(
      'INVALID_ARGUMENT',
      `a workflow is written name, name@version, name/workflow or name@version/workflow, not "${reference}"`,
    );
  }
  return { name, version: groups?.['version'] ?? null, workflow: groups?.['workflow'] ?? null };
};

const moduleNotFound = (modules: ModuleTable, name: string, version: string | null): Error => {
  const versions = modules.versions(name);
  if (version !== null && versions.length > 0) {
    return mvmError(
      'MODULE_NOT_FOUND',
      `no module "${name}@${version}" is deployed; of "${name}" there is: ${versions.join(', ')}`,
      { name, version, versions },
    );
  }
  const names = modules.names();
  const known = names.length === 0 ? 'nothing is deployed yet' : `deployed are: ${names.join(', ')}`;
  return mvmError('MODULE_NOT_FOUND', `no module "${name}" is deployed; ${known}`, { name, names });
};

const workflowNotFound = (module: DeployedModule, workflow: string): Error =>
  mvmError(
    'WORKFLOW_NOT_FOUND',
    `module "${module.name}@${module.version}" has no workflow "${workflow}"; it has: ${module.workflows.join(', ')}`,
    {
      workflow,
      workflows: module.workflows,
    },
  );

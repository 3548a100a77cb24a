/**
 * `repin`: lets jobs go on with another module. Whoever asks has replayed each journal with that module, up to the entry that he
 * names; a job that is somewhere else meanwhile, or that somebody holds, stays on its module (docs/guides/deploying.md).
 */
import { isFinal, mvmError, type DeployedModule, type RepinJob, type RepinResult } from '@mvm-ci/protocol';
import { commit, type Application } from './application.ts';
import type { RepinCommand } from './command.ts';
import type { JobContent, JobRecord } from './job-row.ts';
import type { ReplyTo } from './reply.ts';
import { isHeld } from './transition.ts';

/** Moves each job that may be moved; the others change in nothing. @throws MODULE_NOT_FOUND */
export const repin = (app: Application, command: RepinCommand): ReplyTo<'repin'> => {
  const { name, version, at } = command;
  const module = app.tables.modules.find(name, version);
  if (module === undefined)
    throw mvmError('MODULE_NOT_FOUND', `no module "${name}@${version}" is deployed`, { name, version });
  return { type: 'repin', results: command.jobs.map((item) => repinOne(app, item, { module, at })) };
};

interface Target {
  readonly module: DeployedModule;
  readonly at: number;
}

const repinOne = (app: Application, item: RepinJob, { module, at }: Target): RepinResult => {
  const job = app.tables.jobs.find(item.job_id);
  if (job === undefined) return { job_id: item.job_id, result: 'not_found' };
  const content = app.tables.jobs.content(job);
  const result = verdict(job, content, { item, module });
  if (result === 'moved' && content.module !== module.hash) move(app, { job, content }, { module, at });
  return { job_id: job.id, result };
};

const verdict = (
  job: JobRecord,
  { entry }: JobContent,
  { item, module }: { readonly item: RepinJob; readonly module: DeployedModule },
): RepinResult['result'] => {
  if (isFinal(job.state)) return 'over';
  if (entry === null || !module.workflows.includes(entry)) return 'no_workflow';
  if (isHeld(job)) return 'held';
  return job.attempt === item.attempt && job.journalEntries === item.journal_entries ? 'moved' : 'changed';
};

const move = (
  app: Application,
  { job, content }: { readonly job: JobRecord; readonly content: JobContent },
  { module, at }: Target,
): void => {
  app.tables.jobs.repin(job.number, {
    module: module.hash,
    workflow: `${module.name}@${module.version}/${content.entry}`,
  });
  const { number, attempt, journalEntries: entries } = job;
  app.tables.repins.insert({ job: number, attempt, entries, from: content.module ?? '', to: module.hash, at });
  commit(app, { before: job, next: job, at });
};

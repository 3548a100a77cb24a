/**
 * The tables `modules` (files by hash) and `deployments` (`name@version` → hash). What was looked up is kept in memory, since
 * every publish of a workflow asks: until something is deployed, and a deployment that is undone counts as one.
 */
import { moduleKinds, mvmError, type DeployedModule, type ModuleKind } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { controlLimits } from '../limits.ts';
import { number, text, type Row } from './column.ts';
import type { Counters } from './counters.ts';
import type { DeployCommand } from './command.ts';

/** The columns that {@link deployedModule} reads. */
export const deployedModuleSql = `
  SELECT d.name, d.version, d.hash, d.deployed_at, m.kind, m.runtime, m.workflows, length(m.file) AS bytes
  FROM deployments d JOIN modules m USING (hash)`;

/** A deployment as the API shows it. */
export const deployedModule = (row: Row): DeployedModule => ({
  name: text(row, 'name'),
  version: text(row, 'version'),
  hash: text(row, 'hash'),
  kind: moduleKind(text(row, 'kind')),
  runtime: text(row, 'runtime'),
  workflows: text(row, 'workflows').split('\n'),
  bytes: number(row, 'bytes'),
  deployed_at_ms: number(row, 'deployed_at'),
});

const moduleKind = (value: string): ModuleKind => {
  const kind = moduleKinds.find((known) => known === value);
  if (kind) return kind;
  throw mvmError('INTERNAL', `the database is damaged: a module is of the kind "${value}"`);
};

/** See the head of this file. */
export class ModuleTable {
  readonly #counters: Counters;
  readonly #exact: StatementSync;
  readonly #latest: StatementSync;
  readonly #names: StatementSync;
  readonly #versions: StatementSync;
  readonly #insertModule: StatementSync;
  readonly #insertDeployment: StatementSync;
  readonly #found: Map<string, DeployedModule> = new Map();
  #isTouched = false;

  constructor(db: DatabaseSync, counters: Counters) {
    this.#counters = counters;
    this.#exact = db.prepare(`${deployedModuleSql} WHERE d.name = ? AND d.version = ?`);
    this.#latest = db.prepare(`${deployedModuleSql} WHERE d.name = ? ORDER BY d.number DESC LIMIT 1`);
    this.#names = db.prepare('SELECT DISTINCT name FROM deployments ORDER BY name LIMIT 20');
    this.#versions = db.prepare('SELECT version FROM deployments WHERE name = ? ORDER BY number DESC LIMIT 20');
    this.#insertModule = db.prepare('INSERT INTO modules VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING');
    this.#insertDeployment = db.prepare('INSERT INTO deployments VALUES (?, ?, ?, ?, ?)');
  }

  /** The deployment `name@version`, or the last one of that name. */
  find(name: string, version: string | null): DeployedModule | undefined {
    const reference = version === null ? name : `${name}@${version}`;
    const known = this.#found.get(reference);
    if (known !== undefined) return known;
    const row = version === null ? this.#latest.get(name) : this.#exact.get(name, version);
    if (row === undefined) return undefined;
    const module = deployedModule(row);
    if (this.#found.size >= controlLimits.modulesRemembered) this.#found.clear();
    this.#found.set(reference, module);
    return module;
  }

  /** A command begins. */
  begin(): void {
    this.#isTouched = false;
  }

  /** The command was refused, and its writes are undone. */
  undo(): void {
    if (this.#isTouched) this.#found.clear();
  }

  /** Forgets what may not be committed. */
  reload(): void {
    this.#found.clear();
  }

  /** Names that are deployed, for an error message. */
  names(): readonly string[] {
    return this.#names.all().map((row) => text(row, 'name'));
  }

  /** Versions of a name, the last one first, for an error message. */
  versions(name: string): readonly string[] {
    return this.#versions.all(name).map((row) => text(row, 'version'));
  }

  insert(module: DeployCommand): void {
    const { hash, kind, runtime, workflows, file } = module;
    this.#isTouched = true;
    this.#found.clear();
    this.#insertModule.run(hash, kind, runtime, workflows.join('\n'), file);
    this.#insertDeployment.run(this.#counters.next('deployment'), module.name, module.version, hash, module.at);
  }
}

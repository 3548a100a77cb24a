/** Deployed modules: what is admitted, under which name, by which hash. The store owns them. */
import {
  decodeModule,
  idSchema,
  moduleHash,
  mvmError,
  type DeployedModule,
  type ModuleFile,
  type RepinRequest,
  type RepinResult,
} from '@mvm-ci/protocol';
import type { Clock } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Store } from '../store/store.ts';

/**
 * Decides whether a module may run here, and says which workflows it has.
 *
 * @throws MODULE_INVALID, MODULE_UNKNOWN_IMPORT, MODULE_SYNTAX_ERROR, MODULE_LOAD_FAILED
 */
export type Admit = (file: ModuleFile) => Promise<{ readonly workflows: readonly string[] }>;

/** A module to deploy, as it was uploaded. */
export interface Deployment {
  readonly name: string;
  readonly version: string;
  readonly file: Uint8Array;
}

/** See the head of this file. */
export class ModuleRegistry {
  readonly #parts: { readonly store: Store; readonly clock: Clock; readonly admit: Admit };

  readonly #candidates = new Map<string, Uint8Array>();

  constructor(parts: { readonly store: Store; readonly clock: Clock; readonly admit: Admit }) {
    this.#parts = parts;
  }

  /**
   * Keeps a module for replays, without deploying it: in memory, until others take its place.
   *
   * @returns its hash @throws MODULE_INVALID
   */
  keepCandidate(file: Uint8Array): string {
    decodeModule(file);
    const hash = moduleHash(file);
    this.#candidates.delete(hash);
    this.#candidates.set(hash, file);
    const [oldest] = this.#candidates.keys();
    if (oldest !== undefined && this.#candidates.size > controlLimits.candidatesMax) this.#candidates.delete(oldest);
    return hash;
  }

  /** Admits and stores a module. @throws MODULE_EXISTS, MODULE_INVALID and what admission says */
  async deploy({ name, version, file }: Deployment): Promise<DeployedModule> {
    const { store, clock, admit } = this.#parts;
    const decoded = decodeModule(file);
    const { workflows } = await admit(decoded);
    demandNames(workflows);
    const { module } = await store.apply<'deploy'>({
      type: 'deploy',
      at: clock.wallMs(),
      name,
      version,
      hash: moduleHash(file),
      kind: decoded.kind,
      runtime: decoded.runtime,
      workflows,
      file,
    });
    return module;
  }

  /** Moves jobs to a deployed module, as far as they may be moved. @throws MODULE_NOT_FOUND */
  async repin({ name, version, jobs }: RepinRequest): Promise<readonly RepinResult[]> {
    const { store, clock } = this.#parts;
    return (await store.apply<'repin'>({ type: 'repin', at: clock.wallMs(), name, version, jobs })).results;
  }

  async list(): Promise<readonly DeployedModule[]> {
    return (await this.#parts.store.read<'modules'>({ type: 'modules' })).modules;
  }

  /** The last deployment of a module. @throws MODULE_NOT_FOUND */
  async get(hash: string): Promise<DeployedModule> {
    const { module } = await this.#parts.store.read<'module'>({ type: 'module', hash });
    if (module === null) throw notFound(hash);
    return module;
  }

  /** The module file. @throws MODULE_NOT_FOUND, MODULE_INVALID when the stored bytes are not those of the hash */
  async file(hash: string): Promise<Uint8Array> {
    const candidate = this.#candidates.get(hash);
    if (candidate) return candidate;
    const { file } = await this.#parts.store.read<'module-file'>({ type: 'module-file', hash });
    if (file === null) throw notFound(hash);
    if (moduleHash(file) === hash) return file;
    throw mvmError('MODULE_INVALID', `the stored module ${hash} is damaged: its bytes have another hash`, { hash });
  }
}

const notFound = (hash: string): Error => mvmError('MODULE_NOT_FOUND', `no module has the hash ${hash}`, { hash });

const demandNames = (workflows: readonly string[]): void => {
  const wrong = workflows.find((name) => !idSchema.safeParse(name).success);
  if (workflows.length > 0 && wrong === undefined) return;
  const rule = 'a module has one workflow or more, named by letters, digits and . _ : -';
  throw mvmError('MODULE_INVALID', wrong === undefined ? `${rule}; this one has none` : `${rule}, not "${wrong}"`);
};

/**
 * What the routes of Flawless mean here: a deployment is a module, a workflow that is started is a job, and its response is
 * what the job responds, or else its result. Owns nothing: queue and modules are those of the server.
 *
 * 1. A start is answered at the first response of its workflow, or at the end; the job goes on whether anybody waits or not.
 * 2. A binary that names neither itself nor its workflows is named by its content, and has whichever workflow is started.
 * 3. Numbers keep their digits on their way in, though JavaScript's can't hold all of them.
 */
import {
  decodeModule,
  encodeModule,
  isFinal,
  limits,
  moduleHash,
  MvmError,
  mvmError,
  type DeployedModule,
  type JobView,
  type ModuleFile,
  type Published,
  type PublishJob,
  type SendMessage,
} from '@mvm-ci/protocol';
import type { DeployedName, FlawlessService, StartedWorkflow, StartWorkflow, WorkflowMessage } from './flawless-api.ts';

/** The part of a queue that is used here. */
interface DeskQueue {
  publish(jobs: readonly PublishJob[]): Promise<readonly Published[]>;
  statusAtEnd(
    id: string,
    options: { readonly waitMs: number; readonly signal: AbortSignal; readonly until: 'response' },
  ): Promise<JobView>;
  send(job: string, message: SendMessage): Promise<unknown>;
}

/** The part of a module registry that is used here. */
interface DeskModules {
  deploy(module: DeployedName & { readonly file: Uint8Array }): Promise<DeployedModule>;
  list(): Promise<readonly DeployedModule[]>;
  file(hash: string): Promise<Uint8Array>;
}

/** What the desk works with. */
export interface FlawlessDeskParts {
  readonly queue: DeskQueue;
  readonly modules: DeskModules;
  /**
   * Tells what an uploaded binary is, and what it calls itself; one that doesn't name its workflows has these. @throws MODULE_INVALID
   * when it is nothing that can be run
   */
  readonly identify: (
    wasm: Uint8Array,
    workflows: readonly string[],
  ) => Promise<{ readonly file: ModuleFile; readonly identity: DeployedName | undefined }>;
  /** Makes the part of a workflow's id that tells it from all others. */
  readonly newId: () => string;
  /** Fires when the server takes no more workflows. */
  readonly closing: AbortSignal;
  /** Fires when none runs any more: whoever waits for a response is told so. */
  readonly ending: AbortSignal;
}

/** See the head of this file. */
export class FlawlessDesk implements FlawlessService {
  readonly #parts: FlawlessDeskParts;

  constructor(parts: FlawlessDeskParts) {
    this.#parts = parts;
  }

  /** @throws MODULE_INVALID, MODULE_EXISTS and what admission says */
  async deploy(wasm: Uint8Array): Promise<DeployedName> {
    const { modules, identify } = this.#parts;
    const { file, identity } = await identify(wasm, [unnamedWorkflow]);
    const { name, version } = identity ?? unnamed(wasm);
    await modules.deploy({ name, version, file: encodeModule(file) });
    return { name, version };
  }

  /**
   * Starts a workflow and waits for its response.
   *
   * @throws MODULE_NOT_FOUND, WORKFLOW_NOT_FOUND, INVALID_JSON; UNAVAILABLE when the server ends before; the workflow's own error
   */
  async start(wish: StartWorkflow, signal: AbortSignal): Promise<StartedWorkflow> {
    const { closing, ending } = this.#parts;
    if (closing.aborted) throw goingAway('it takes no more workflows');
    const id = `wkf_${this.#parts.newId()}`;
    await this.#publish(wish, { job_id: id, input: exactJson('"input"', wish.input) });
    return { id, response: responseText(await this.#responded(id, AbortSignal.any([signal, ending]))) };
  }

  /** @throws JOB_NOT_FOUND, INVALID_JSON; INVALID_TRANSITION when it is over */
  async send(id: string, { type, data }: WorkflowMessage): Promise<void> {
    await this.#parts.queue.send(id, { type, data: exactJson('"data"', data) });
  }

  async #publish({ module, version, workflow }: StartWorkflow, job: PublishJob): Promise<void> {
    const { queue } = this.#parts;
    const isOther = unnamedPattern.test(module) && version === unnamedVersion && workflow !== unnamedWorkflow;
    const wanted = isOther ? `${version}-${workflow}` : version;
    const published = { ...job, workflow: `${module}@${wanted}/${workflow}` };
    try {
      await queue.publish([published]);
    } catch (error) {
      if (!(isOther && error instanceof MvmError && error.code === 'MODULE_NOT_FOUND')) throw error;
      await this.#deployOther(module, { version: wanted, workflow });
      await queue.publish([published]);
    }
  }

  /** Rule 2: the same binary, with another workflow. */
  async #deployOther(
    name: string,
    { version, workflow }: { readonly version: string; readonly workflow: string },
  ): Promise<void> {
    const { modules } = this.#parts;
    const known = (await modules.list()).find((one) => one.name === name && one.version === unnamedVersion);
    if (!known) throw mvmError('MODULE_NOT_FOUND', `no module "${name}@${unnamedVersion}" is deployed`);
    const file = decodeModule(await modules.file(known.hash));
    await modules.deploy({ name, version, file: encodeModule({ ...file, workflows: [workflow] }) });
  }

  /** The job once it has responded, or is over. */
  async #responded(id: string, signal: AbortSignal): Promise<JobView> {
    for (;;) {
      const job = await this.#parts.queue.statusAtEnd(id, { waitMs: limits.waitMsMax, until: 'response', signal });
      if (job.response !== null || isFinal(job.status)) return job;
      if (this.#parts.ending.aborted) throw goingAway(`workflow ${id} goes on when it is back`);
      if (signal.aborted) throw mvmError('CANCELLED', `nobody waits for workflow ${id} any more; it goes on`);
    }
  }
}

const unnamedVersion = '0.0.0';
const unnamedWorkflow = 'main';
const unnamedPattern = /^wasm-[0-9a-f]{16}$/;

const unnamed = (wasm: Uint8Array): DeployedName => ({
  name: `wasm-${moduleHash(wasm).slice(0, 16)}`,
  version: unnamedVersion,
});

const goingAway = (what: string): Error =>
  mvmError('UNAVAILABLE', `this server is going away: ${what}`, { draining: true });

const responseText = (job: JobView): string | null => {
  const { status, response, result, error } = job;
  if (response === null && status !== 'completed')
    throw mvmError('WORKFLOW_FAILED', `workflow ${job.job_id} is ${status}: ${error?.code}: ${error?.message}`);
  const value = response === null ? result : response.value;
  return value === null ? null : JSON.stringify(value);
};

/** Rule 3. @throws INVALID_JSON */
const exactJson = (name: string, text: string): unknown => {
  try {
    return JSON.parse(text, (_key, value: unknown, { source }) =>
      typeof value === 'number' && String(value) !== source ? JSON.rawJSON(source) : value,
    );
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('INVALID_JSON', `${name} is a string that holds JSON: ${reason}`, { received: text.slice(0, 100) });
  }
};

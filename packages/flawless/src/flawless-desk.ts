/**
 * What the routes of Flawless mean here: a deployment is a module, a workflow that is started is a job, and its response is
 * what the job responds, or else its result. Owns nothing: queue and modules are those of the server.
 *
 * 1. A start is answered at the first response of its workflow, or at the end; the job goes on whether anybody waits or not.
 * 2. Numbers keep their digits on their way in, though JavaScript's can't hold all of them.
 */
import {
  encodeModule,
  isFinal,
  limits,
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
  deploy(module: {
    readonly name: string;
    readonly version: string;
    readonly file: Uint8Array;
  }): Promise<DeployedModule>;
}

/** What the desk works with. */
export interface FlawlessDeskParts {
  readonly queue: DeskQueue;
  readonly modules: DeskModules;
  /** Tells what an uploaded binary is. @throws BUILD_FAILED when it is nothing that can be run */
  readonly identify: (wasm: Uint8Array) => Promise<{ readonly file: ModuleFile } & DeployedName>;
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

  /** @throws BUILD_FAILED, MODULE_EXISTS and what admission says */
  async deploy(wasm: Uint8Array): Promise<DeployedName> {
    const { modules, identify } = this.#parts;
    const { file, name, version } = await identify(wasm);
    await modules.deploy({ name, version, file: encodeModule(file) });
    return { name, version };
  }

  /**
   * Starts a workflow and waits for its response.
   *
   * @throws MODULE_NOT_FOUND, WORKFLOW_NOT_FOUND, INVALID_JSON; UNAVAILABLE when the server ends before; the workflow's own error
   */
  async start({ module, version, workflow, input }: StartWorkflow, signal: AbortSignal): Promise<StartedWorkflow> {
    const { closing, ending } = this.#parts;
    if (closing.aborted) throw goingAway('it takes no more workflows');
    const id = `wkf_${this.#parts.newId()}`;
    const job = { job_id: id, workflow: `${module}@${version}/${workflow}`, input: exactJson('"input"', input) };
    await this.#parts.queue.publish([job]);
    return { id, response: responseText(await this.#responded(id, AbortSignal.any([signal, ending]))) };
  }

  /** @throws JOB_NOT_FOUND, INVALID_JSON; INVALID_TRANSITION when it is over */
  async send(id: string, { type, data }: WorkflowMessage): Promise<void> {
    await this.#parts.queue.send(id, { type, data: exactJson('"data"', data) });
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

const goingAway = (what: string): Error =>
  mvmError('UNAVAILABLE', `this server is going away: ${what}`, { draining: true });

const responseText = (job: JobView): string | null => {
  const { status, response, result, error } = job;
  if (response === null && status !== 'completed')
    throw mvmError('WORKFLOW_FAILED', `workflow ${job.job_id} is ${status}: ${error?.code}: ${error?.message}`);
  const value = response === null ? result : response.value;
  return value === null ? null : JSON.stringify(value);
};

/** Rule 2. @throws INVALID_JSON */
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

/** Child jobs: workflows that a workflow starts (docs/internals/inbox.md). */
import type { ChildEnd } from './activation.ts';
import { call, type Abortable } from './call.ts';
import { queueOptions, type QueueOptions } from './child-options.ts';

/** Options of {@link start}. */
export interface StartOptions extends QueueOptions {
  /** The child's id. @default made of this job, its attempt and the call: the same each time */
  readonly id?: string | undefined;
  /** How often it may be tried. @default 1 */
  readonly attempts?: number | undefined;
  /** Whether it goes on when this attempt ends. @default false: it is cancelled then, and so are those that it started */
  readonly detached?: boolean | undefined;
}

/** Options of {@link Child.join}. */
export interface JoinOptions {
  /** Ends the wait early: it rejects with the signal's reason. The child goes on. */
  readonly signal?: Abortable | undefined;
}

/** A child that did not complete. */
export class ChildError extends Error {
  override readonly name: string = 'ChildError';
  /** The child's own code, such as `WORKFLOW_FAILED`, or `CANCELLED`. */
  readonly code: string;
  /** The child's id. */
  readonly job: string;

  constructor(job: string, { code, message }: { readonly code: string; readonly message: string }) {
    super(`job ${job} ended with ${code}: ${message}`);
    this.code = code;
    this.job = job;
  }
}

/** A job that this attempt started. */
export class Child<Result = unknown> {
  readonly id: string;
  /** Once it is known. */
  #end: ChildEnd | undefined;

  constructor(id: string) {
    this.id = id;
  }

  /**
   * Waits until the child is over, durably; asked again, it gives the same.
   *
   * @returns what the child returned.
   * @throws {ChildError} when it failed or was cancelled.
   * @throws the reason of `signal` when that aborts first.
   */
  async join({ signal }: JoinOptions = {}): Promise<Result> {
    this.#end ??= await this.#ask(signal);
    const end = this.#end;
    switch (end.type) {
      case 'completed':
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a child returns is between the two authors
        return end.result as Result;
      case 'failed':
        throw new ChildError(this.id, end);
      case 'cancelled':
        throw new ChildError(this.id, { code: 'CANCELLED', message: end.reason });
    }
  }

  /** Each wait is a call of its own: its signal ends no other. */
  async #ask(signal: Abortable | undefined): Promise<ChildEnd> {
    const { joined } = await call({ type: 'join', job: this.id }, signal);
    if (!joined) throw new TypeError('the host answered a join with something else');
    return joined;
  }
}

/**
 * Starts a workflow as a job of its own, exactly once: it is stored with the entry that asks for it. It runs wherever a worker has
 * room, while this workflow goes on.
 *
 * @param workflow - `name`, `name@version`, `name/workflow` or `name@version/workflow`.
 * @param input - any JSON value, at most 1 MiB.
 * @throws {TypeError} for an argument or an option of another kind, and an input that is no JSON value.
 * @throws {EffectError} `LIMIT_EXCEEDED` for an input that is too large; `MODULE_NOT_FOUND`, `WORKFLOW_NOT_FOUND`, `JOB_EXISTS` when another job
 *   has this id, `QUEUE_FULL`.
 * @example const report = await start('report', { month: '2026-11' });
 *   const { pages } = await report.join();
 */
export const start = async <Result = unknown>(
  workflow: string,
  input: unknown = null,
  options: StartOptions = {},
): Promise<Child<Result>> => {
  const { id = null, attempts = 1, detached = false } = options;
  const queued = queueOptions(options);
  const { started } = await call({
    type: 'start',
    job: id,
    workflow,
    input,
    attemptsMax: attempts,
    detached,
    ...(queued && { options: queued }),
  });
  if (!started) throw new TypeError('the host answered a start with something else');
  return new Child<Result>(started.job);
};

/**
 * Starts a workflow and waits for what it returns.
 *
 * @throws {EffectError} as {@link start}.
 * @throws {ChildError} as {@link Child.join}.
 * @example const { pages } = await run<{ pages: number }>('crawler', { url });
 */
export const run = async <Result = unknown>(
  workflow: string,
  input: unknown = null,
  options: StartOptions = {},
): Promise<Result> => (await start<Result>(workflow, input, options)).join();

/** Child jobs: workflows that a workflow starts (docs/internals/inbox.md). */
import type { ChildEnd } from './activation.ts';
import { call, type Abortable } from './call.ts';

/** Options of {@link start}. */
export interface StartOptions {
  /** The child's id. @default made of this job, its attempt and the call: the same each time */
  readonly id?: string | undefined;
  /** How often it may be tried. @default 1 */
  readonly attempts?: number | undefined;
  /** Whether it goes on when this attempt ends. @default false: it is cancelled then, and so are those that it started */
  readonly detached?: boolean | undefined;
  /** @default 'default' */
  readonly queue?: string | undefined;
  /** -100 to 100, higher first. @default 0 */
  readonly priority?: number | undefined;
  /** Whom it is for: the keys of a queue take turns, and limits count by key. @default none */
  readonly key?: string | undefined;
  /** Tags that its worker must have. @default none */
  readonly requires?: readonly string[] | undefined;
  /** For searching. @default none */
  readonly tags?: readonly string[] | undefined;
  /** Not before so many milliseconds. @default 0 */
  readonly delayMs?: number | undefined;
  /** It fails when no worker has begun it for so long after it could run. @default never */
  readonly startTimeoutMs?: number | undefined;
  /** An attempt fails so long after its first claim. @default never */
  readonly attemptTimeoutMs?: number | undefined;
  /** It fails so long after it was started. @default never */
  readonly timeoutMs?: number | undefined;
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
  #end: Promise<ChildEnd> | undefined;

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
    const end = await (this.#end ?? this.#ask(signal));
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

  #ask(signal: Abortable | undefined): Promise<ChildEnd> {
    const asked = call({ type: 'join', job: this.id }, signal).then(({ joined }) => {
      if (!joined) throw new TypeError('the host answered a join with something else');
      return joined;
    });
    this.#end = asked;
    // A wait that was given up may be taken up again.
    asked.catch(() => {
      this.#end = undefined;
    });
    return asked;
  }
}

/**
 * Starts a workflow as a job of its own, exactly once: it is stored with the entry that asks for it. It runs wherever a worker has
 * room, while this workflow goes on.
 *
 * @param workflow - `name`, `name@version`, `name/workflow` or `name@version/workflow`.
 * @param input - any JSON value, at most 1 MiB.
 * @throws {EffectError} `MODULE_NOT_FOUND`, `WORKFLOW_NOT_FOUND`, `JOB_EXISTS` when another job has this id, `QUEUE_FULL`.
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

/** The options as the control plane names them; undefined: none is given. */
const queueOptions = (options: StartOptions): Readonly<Record<string, unknown>> | undefined => {
  const { queue, priority, key, requires, tags, delayMs, startTimeoutMs, attemptTimeoutMs, timeoutMs } = options;
  const named = Object.entries({
    queue,
    priority,
    key,
    requires,
    tags,
    delay_ms: delayMs,
    start_timeout_ms: startTimeoutMs,
    attempt_timeout_ms: attemptTimeoutMs,
    timeout_ms: timeoutMs,
  });
  const given = named.filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
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

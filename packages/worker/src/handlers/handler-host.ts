/**
 * Runs handlers in this very thread. Owns how many run at the same time, and how many jobs are held for them.
 *
 *   1. At most `concurrency` handlers run; the other jobs that are held wait for their turn, in order.
 *   2. Jobs are held ahead for about `prefetchMs` of measured work: many short ones, and of long ones none.
 */
import { handlerPrefix, mvmError } from '@mvm-ci/protocol';
import type { ClaimedJob, Clock } from '@mvm-ci/protocol';
import type { EngineHost, HostPorts, HostRun } from '../engine-host.ts';
import type { LateSignal } from '../late-signal.ts';
import { workerLimits } from '../limits.ts';
import type { Handler } from './handler.ts';
import { HandlerRun } from './handler-run.ts';
import { Prefetch } from './prefetch.ts';

/** What the host runs. */
export interface HandlerHostOptions {
  readonly handlers: Readonly<Record<string, Handler>>;
  readonly concurrency: number;
  readonly clock: Clock;
}

/** See the head of this file. */
export class HandlerHost implements EngineHost {
  readonly obstacle = undefined;
  readonly #options: HandlerHostOptions;
  readonly #handlers: ReadonlyMap<string, Handler>;
  readonly #prefetch: Prefetch;
  readonly #runs: Set<HandlerRun> = new Set();
  readonly #line: Set<() => void> = new Set();
  #running = 0;

  constructor(options: HandlerHostOptions) {
    this.#options = options;
    this.#handlers = new Map(Object.entries(options.handlers));
    this.#prefetch = new Prefetch(options.clock, options.concurrency);
  }

  get handlers(): readonly string[] {
    return [...this.#handlers.keys()];
  }

  get wanted(): number {
    return Math.min(this.#options.concurrency + this.#prefetch.jobs, workerLimits.handlerJobsMax);
  }

  run({ job, attempt, workflow: name, input, trace }: ClaimedJob, ports: HostPorts): HostRun {
    const handler = this.#handlers.get(name) ?? unknownHandler(name);
    const task = { job, name, attempt, input, trace, handler };
    const run = new HandlerRun({ task, ports, clock: this.#options.clock, enter: (stop) => this.#enter(stop) });
    this.#runs.add(run);
    const forget = (): void => void this.#runs.delete(run);
    run.ended.then(forget, forget);
    return run;
  }

  async stop(): Promise<void> {
    for (const run of this.#runs) run.drop();
    await Promise.allSettled([...this.#runs].map((run) => run.ended));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Waits for a place; without one when `stop` fires first: such a run does nothing. */
  async #enter(stop: LateSignal): Promise<() => void> {
    if (this.#running < this.#options.concurrency) this.#running += 1;
    else if (!(await this.#turn(stop))) return () => undefined;
    this.#prefetch.begin();
    return () => this.#leave();
  }

  /** @returns whether a place was handed over; false: `stop` fired */
  #turn(stop: LateSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const take = (): void => {
      stop.listen(undefined);
      resolve(true);
    };
    this.#line.add(take);
    stop.listen(() => {
      this.#line.delete(take);
      resolve(false);
    });
    return promise;
  }

  #leave(): void {
    this.#prefetch.end();
    const [next] = this.#line;
    if (next === undefined) {
      this.#running -= 1;
      return;
    }
    this.#line.delete(next);
    next();
  }
}

// The claim names the handlers: others don't come.
const unknownHandler = (name: string): never => {
  throw mvmError('WORKFLOW_NOT_FOUND', `this worker has no handler "${name}" (a job of "${handlerPrefix}${name}")`);
};

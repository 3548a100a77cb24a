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
import { HandlerRun, type HandlerTurns } from './handler-run.ts';
import { Prefetch } from './prefetch.ts';

/** What the host runs. */
export interface HandlerHostOptions {
  readonly handlers: Readonly<Record<string, Handler>>;
  readonly concurrency: number;
  readonly clock: Clock;
}

/** See the head of this file. */
export class HandlerHost implements EngineHost, HandlerTurns {
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
    const run = new HandlerRun({ task, ports, clock: this.#options.clock, turns: this });
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

  enter(stop: LateSignal): boolean | Promise<boolean> {
    if (this.#running === this.#options.concurrency) return this.#turn(stop);
    this.#running += 1;
    this.#prefetch.begin();
    return true;
  }

  leave(): void {
    this.#prefetch.end();
    this.#running -= 1;
    const [next] = this.#line;
    next?.();
  }

  /** Waits for a place that becomes free. */
  #turn(stop: LateSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (hasPlace: boolean): void => {
        this.#line.delete(take);
        stop.listen(undefined);
        resolve(hasPlace);
      };
      const take = (): void => settle(this.enter(stop) === true);
      this.#line.add(take);
      stop.listen(() => settle(false));
    });
  }
}

// The claim names the handlers: others don't come.
const unknownHandler = (name: string): never => {
  throw mvmError('WORKFLOW_NOT_FOUND', `this worker has no handler "${name}" (a job of "${handlerPrefix}${name}")`);
};

import type { Clock } from './clock.ts';
import { workerLimits } from './limits.ts';

/** What is known about an interrupted run. */
export interface InterruptedRun {
  /** Whether entries of it are durable. */
  readonly hasAppended: boolean;
  /** See `HostRunEnd`. */
  readonly hasBegun: boolean;
}

/**
 * How long a job has been without an engine that got it on. It begins with the first run that got nowhere, and ends with a
 * run that got on.
 */
export class EngineAbsence {
  readonly #clock: Clock;
  #sinceMs: number | undefined;
  #runSinceMs = 0;
  #losses = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A run begins. */
  runBegins(): void {
    this.#runSinceMs = this.#clock.monotonicMs();
  }

  /**
   * The run was interrupted. One that lasted for `workerLimits.engineSteadyMs` got on as well as one that appended: a
   * workflow may wait.
   *
   * @returns whether it got on
   */
  interrupted({ hasAppended, hasBegun }: InterruptedRun): boolean {
    const gotOn = hasAppended || this.#clock.monotonicMs() - this.#runSinceMs >= workerLimits.engineSteadyMs;
    this.#sinceMs = gotOn ? undefined : (this.#sinceMs ?? this.#runSinceMs);
    this.#losses = gotOn ? 0 : this.#losses + (hasBegun ? 1 : 0);
    return gotOn;
  }

  /** Whether so many engines were lost one after another, each while it ran the job, that the job may be the reason. */
  get isSuspicious(): boolean {
    return this.#losses >= workerLimits.engineLossesMax;
  }

  /** Whether another worker should have the job. */
  get isTooLong(): boolean {
    return this.#sinceMs !== undefined && this.#clock.monotonicMs() - this.#sinceMs >= workerLimits.engineAbsenceMsMax;
  }
}

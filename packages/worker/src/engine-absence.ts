import type { Clock } from './clock.ts';
import { workerLimits } from './limits.ts';

/**
 * How long a job has been without an engine that got it on. It begins with the first run that got nowhere, and ends with a
 * run that got on.
 */
export class EngineAbsence {
  readonly #clock: Clock;
  #sinceMs: number | undefined;
  #runSinceMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A run begins. */
  runBegins(): void {
    this.#runSinceMs = this.#clock.monotonicMs();
  }

  /**
   * The run was interrupted; `hasAppended` says whether entries of it are durable. One that lasted for
   * `workerLimits.engineSteadyMs` counts as well: a workflow may wait.
   *
   * @returns whether it got on
   */
  interrupted(hasAppended: boolean): boolean {
    const gotOn = hasAppended || this.#clock.monotonicMs() - this.#runSinceMs >= workerLimits.engineSteadyMs;
    this.#sinceMs = gotOn ? undefined : (this.#sinceMs ?? this.#runSinceMs);
    return gotOn;
  }

  /** Whether another worker should have the job. */
  get isTooLong(): boolean {
    return this.#sinceMs !== undefined && this.#clock.monotonicMs() - this.#sinceMs >= workerLimits.engineAbsenceMsMax;
  }
}

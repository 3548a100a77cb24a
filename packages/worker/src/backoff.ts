import { pause, type Clock } from './clock.ts';
import { workerLimits } from './limits.ts';
import type { Random } from './random.ts';

/** The waits between tries: doubling, capped, and times a random 0.5–1 so that many workers don't come back at once. */
export class Backoff {
  readonly #clock: Clock;
  readonly #random: Random;
  #failures = 0;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** It worked: the next wait is the shortest again. */
  reset(): void {
    this.#failures = 0;
  }

  /** Waits before the next try; ends early when `signal` fires. */
  async wait(signal: AbortSignal): Promise<void> {
    const ms = Math.min(workerLimits.retryMsMax, workerLimits.retryMs * 2 ** Math.min(this.#failures, 16));
    this.#failures += 1;
    await pause(this.#clock, ms * (0.5 + this.#random.unit() / 2), signal);
  }
}

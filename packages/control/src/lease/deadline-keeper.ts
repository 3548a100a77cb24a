/**
 * Wakes the state machine when deadlines of jobs pass (`machine/deadline.ts`). Owns one timer, for the earliest deadline that
 * it has heard of.
 *
 * 1. Deadlines are wall-clock times and in the database; what is known here is only when to look.
 * 2. A look that fails is repeated: nothing is lost with it.
 */
import type { Clock, Timer } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Effects } from '../machine/effects.ts';

/** What the keeper needs. */
export interface DeadlineKeeperOptions {
  readonly clock: Clock;
  /** Does what is overdue. @returns the next deadline, Unix ms; null: there is none */
  readonly expire: () => Promise<number | null>;
}

/** See the head of this file. */
export class DeadlineKeeper {
  readonly #options: DeadlineKeeperOptions;
  #timer: { readonly timer: Timer; readonly at: number } | undefined;
  #look: Promise<void> | undefined;
  #stopped = false;

  constructor(options: DeadlineKeeperOptions) {
    this.#options = options;
  }

  /** Looks for what became overdue while nobody kept the time. */
  start(): void {
    this.#lookAt(this.#options.clock.wallMs());
  }

  follow({ deadlineAt }: Effects): void {
    if (deadlineAt !== null) this.#lookAt(deadlineAt);
  }

  /** Waits for the look that is under way. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.timer.cancel();
    await this.#look;
  }

  #lookAt(at: number): void {
    if (this.#stopped || (this.#timer !== undefined && this.#timer.at <= at)) return;
    this.#timer?.timer.cancel();
    const delayMs = Math.min(Math.max(at - this.#options.clock.wallMs(), 1), controlLimits.deadlineLookMs);
    const timer = this.#options.clock.after(delayMs, () => {
      this.#timer = undefined;
      this.#look = this.#expire();
    });
    this.#timer = { timer, at };
  }

  async #expire(): Promise<void> {
    try {
      const next = await this.#options.expire();
      if (next !== null) this.#lookAt(next);
    } catch {
      this.#lookAt(this.#options.clock.wallMs() + controlLimits.expiryRetryMs);
    }
  }
}

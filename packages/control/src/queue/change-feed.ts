/** Tells those who wait that something has changed: event streams (any change) and status requests (the end of a job). */
import { mvmError } from '@mvm-ci/protocol';
import type { Clock } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Effects } from '../machine/effects.ts';

/** How long to wait. */
export interface WaitOptions {
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** See the head of this file. */
export class ChangeFeed {
  readonly #clock: Clock;
  readonly #streams: Set<() => void> = new Set();
  readonly #finals: Map<string, Set<() => void>> = new Map();
  #waitingForFinals = 0;
  #latest: number;
  #stopped = false;

  /** `latest` is the number of the last committed change. */
  constructor(clock: Clock, latest: number) {
    this.#clock = clock;
    this.#latest = latest;
  }

  /** The number of the last committed change. */
  get latest(): number {
    return this.#latest;
  }

  /** Whether nothing more will come. */
  get isStopped(): boolean {
    return this.#stopped;
  }

  follow(effects: Effects): void {
    if (effects.change > this.#latest) {
      this.#latest = effects.change;
      for (const wake of this.#streams) wake();
    }
    for (const job of effects.finals) for (const wake of this.#finals.get(job) ?? []) wake();
  }

  /** Resolves when there are changes after `after`, when the time is over, the signal fires or the feed stops. */
  async changed(after: number, options: WaitOptions): Promise<void> {
    if (this.#latest > after) return;
    await this.#wait(this.#streams, options);
  }

  /**
   * Resolves at the end of the job, or like {@link changed}. Ask for the job's state after calling, before awaiting: an
   * end in between is not missed then.
   *
   * @throws UNAVAILABLE when too many requests wait already
   */
  final(job: string, options: WaitOptions): Promise<void> {
    // Thrown at once: a promise that rejects before its caller awaits it ends the process.
    if (this.#waitingForFinals >= controlLimits.statusWaitsMax) {
      throw mvmError('UNAVAILABLE', `${controlLimits.statusWaitsMax} requests wait for the end of a job already`);
    }
    return this.#final(job, options);
  }

  /** Wakes everybody for the last time. Idempotent. */
  stop(): void {
    this.#stopped = true;
    for (const wake of this.#streams) wake();
    for (const set of this.#finals.values()) for (const wake of set) wake();
  }

  async #final(job: string, options: WaitOptions): Promise<void> {
    const set = this.#finals.get(job) ?? new Set();
    this.#finals.set(job, set);
    this.#waitingForFinals += 1;
    await this.#wait(set, options);
    this.#waitingForFinals -= 1;
    if (set.size === 0) this.#finals.delete(job);
  }

  async #wait(set: Set<() => void>, { waitMs, signal }: WaitOptions): Promise<void> {
    if (this.#stopped || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    set.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    const timer = this.#clock.after(waitMs, wake);
    await promise;
    timer.cancel();
    signal.removeEventListener('abort', wake);
    set.delete(wake);
  }
}

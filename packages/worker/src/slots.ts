/** The places for jobs of one worker: how many are free, and when one becomes free. */
export class Slots {
  #total: number;
  #taken = 0;
  readonly #waiters: Set<Waiter> = new Set();

  constructor(total: number) {
    this.#total = total;
  }

  get total(): number {
    return this.#total;
  }

  /** More, or fewer, of them; jobs that have one keep it. */
  resize(total: number): void {
    this.#total = total;
    this.#tell();
  }

  get free(): number {
    return Math.max(0, this.#total - this.#taken);
  }

  get taken(): number {
    return this.#taken;
  }

  take(): void {
    this.#taken += 1;
  }

  give(): void {
    this.#taken -= 1;
    this.#tell();
  }

  /** Resolves when `count` slots are free, or `signal` fires. */
  untilFree(signal: AbortSignal, count = 1): Promise<void> {
    return this.#until(() => this.free >= count, signal);
  }

  /** Resolves when no slot is taken, or `signal` fires. */
  untilEmpty(signal: AbortSignal): Promise<void> {
    return this.#until(() => this.#taken === 0, signal);
  }

  async #until(isMet: () => boolean, signal: AbortSignal): Promise<void> {
    while (!isMet() && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const waiter = { isMet, wake: (): void => resolve() };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', waiter.wake, { once: true });
      await promise;
      signal.removeEventListener('abort', waiter.wake);
      this.#waiters.delete(waiter);
    }
  }

  /** Only those whose wish is met: thousands of slots become free one by one. */
  #tell(): void {
    for (const { isMet, wake } of this.#waiters) if (isMet()) wake();
  }
}

interface Waiter {
  readonly isMet: () => boolean;
  readonly wake: () => void;
}

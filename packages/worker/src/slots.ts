/** The places for jobs of one worker: how many are free, and when one becomes free. */
export class Slots {
  readonly total: number;
  #taken = 0;
  #changed = Promise.withResolvers<void>();

  constructor(total: number) {
    this.total = total;
  }

  get free(): number {
    return Math.max(0, this.total - this.#taken);
  }

  get taken(): number {
    return this.#taken;
  }

  take(): void {
    this.#taken += 1;
  }

  give(): void {
    this.#taken -= 1;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Resolves when a slot is free, or `signal` fires. */
  async untilFree(signal: AbortSignal): Promise<void> {
    while (this.free === 0 && !signal.aborted) await this.#change(signal);
  }

  /** Resolves when no slot is taken, or `signal` fires. */
  async untilEmpty(signal: AbortSignal): Promise<void> {
    while (this.#taken > 0 && !signal.aborted) await this.#change(signal);
  }

  async #change(signal: AbortSignal): Promise<void> {
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const abort = (): void => resolve();
    signal.addEventListener('abort', abort, { once: true });
    await Promise.race([this.#changed.promise, aborted]);
    signal.removeEventListener('abort', abort);
  }
}

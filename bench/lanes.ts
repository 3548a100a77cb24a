/** Concurrency in a bench: several lanes that each do one thing after the other. */

/**
 * Runs `work` in `count` lanes until each has returned.
 *
 * @throws what the first lane to fail threw, after all lanes have ended
 */
export const runLanes = async (count: number, work: (lane: number) => Promise<void>): Promise<void> => {
  const ends = await Promise.allSettled(Array.from({ length: count }, (_, lane) => work(lane)));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
};

/** Seconds that `work` takes. */
export const timed = async (work: () => Promise<void>): Promise<number> => {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1_000;
};

/** How much is done: `count` times, or as often as `msMax` allows, whichever is less. */
export interface Amount {
  readonly count: number;
  readonly msMax: number;
}

/** Hands out numbers from 0 on in pieces, to lanes that share them, until the amount is done. */
export class Dispenser {
  readonly #count: number;
  readonly #endMs: number;
  #next = 0;

  /** The time runs from here. */
  constructor({ count, msMax }: Amount) {
    this.#count = count;
    this.#endMs = performance.now() + msMax;
  }

  /** How many were handed out. */
  get taken(): number {
    return this.#next;
  }

  /** Up to `count` numbers, fewer at the end, then none. */
  take(count: number): readonly number[] {
    if (performance.now() >= this.#endMs) return [];
    const first = this.#next;
    this.#next = Math.min(this.#count, first + count);
    return Array.from({ length: this.#next - first }, (_, offset) => first + offset);
  }
}

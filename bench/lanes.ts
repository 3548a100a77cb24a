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

/** Hands out numbers from 0 to `total` - 1 in pieces, to lanes that share them. */
export class Dispenser {
  readonly #total: number;
  #next = 0;

  constructor(total: number) {
    this.#total = total;
  }

  /** Up to `count` numbers, fewer at the end, then none. */
  take(count: number): readonly number[] {
    const first = this.#next;
    this.#next = Math.min(this.#total, first + count);
    return Array.from({ length: this.#next - first }, (_, offset) => first + offset);
  }
}

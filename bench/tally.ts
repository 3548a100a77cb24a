/**
 * Counts lost and duplicated jobs (I10). Owns what was acknowledged to the bench: publishes and accepted completions. The
 * bench reads the jobs back at its end, and the two are held against each other.
 */

/** The count: zero and zero in a system that works. */
export interface Verdict {
  /** Jobs whose publish, or whose completion, was acknowledged, and that are not completed when read back. */
  readonly lost: number;
  /** Completions beyond the first: accepted twice, or listed twice. */
  readonly duplicated: number;
}

/** The sum of two counts. */
export const addVerdicts = (a: Verdict, b: Verdict): Verdict => ({
  lost: a.lost + b.lost,
  duplicated: a.duplicated + b.duplicated,
});

/** See the head of this file. */
export class Tally {
  readonly #published = new Set<string>();
  readonly #accepted = new Map<string, number>();

  /** Notes jobs whose publish was acknowledged. */
  published(ids: Iterable<string>): void {
    for (const id of ids) this.#published.add(id);
  }

  /** Notes that the completion of a job was accepted. */
  completed(id: string): void {
    this.#accepted.set(id, (this.#accepted.get(id) ?? 0) + 1);
  }

  /** Ids of the jobs published so far. */
  get ids(): readonly string[] {
    return [...this.#published];
  }

  /** Published jobs whose completion no one has heard of. */
  get open(): number {
    return this.#published.size - this.#accepted.size;
  }

  /** @param completed ids of the completed jobs, as they were read back */
  judge(completed: readonly string[]): Verdict {
    const found = new Map<string, number>();
    for (const id of completed) found.set(id, (found.get(id) ?? 0) + 1);
    const beyondFirst = (counts: ReadonlyMap<string, number>): number =>
      [...counts].reduce((sum, [id, count]) => sum + (this.#published.has(id) ? count - 1 : 0), 0);
    return {
      lost: [...this.#published].filter((id) => !found.has(id)).length,
      duplicated: beyondFirst(this.#accepted) + beyondFirst(found),
    };
  }
}

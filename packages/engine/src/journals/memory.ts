/** A journal in memory: for tests, and for runs whose history nobody needs. */
import type { FinishOutcome, JobProgress, JournalEntry } from '@mvm-ci/protocol';
import type { JournalSink } from '../journal.ts';

/** Keeps one attempt's entries; everything is "durable" at once. */
export class MemoryJournal implements JournalSink {
  readonly #entries: JournalEntry[];
  #outcome: FinishOutcome | undefined;
  #progress: JobProgress | undefined;

  /** Goes on after `entries`. */
  constructor(entries: readonly JournalEntry[] = []) {
    this.#entries = [...entries];
  }

  get entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  /** How the hold on the job ended, if it did. */
  get outcome(): FinishOutcome | undefined {
    return this.#outcome;
  }

  get progress(): JobProgress | undefined {
    return this.#progress;
  }

  append(entries: readonly JournalEntry[], progress?: JobProgress): Promise<void> {
    this.#entries.push(...entries);
    this.#progress = progress ?? this.#progress;
    return Promise.resolve();
  }

  finish(entries: readonly JournalEntry[], outcome: FinishOutcome): Promise<void> {
    this.#entries.push(...entries);
    this.#outcome = outcome;
    return Promise.resolve();
  }
}

/** A journal in memory: for tests, and for runs whose history nobody needs. */
import { mvmError, type FinishOutcome, type JobProgress, type JournalEntry } from '@mvm-ci/protocol';
import type { JournalSink } from '../journal.ts';

/** One attempt's entries. What was appended is as durable as it will ever be. */
export class MemoryJournal {
  readonly #entries: JournalEntry[];
  #holder = 0;
  #outcome: FinishOutcome | undefined;
  #progress: JobProgress | undefined;

  /** Goes on after `entries`. */
  constructor(entries: readonly JournalEntry[] = []) {
    this.#entries = [...entries];
  }

  get entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  /** How the last hold ended; undefined while somebody holds it. */
  get outcome(): FinishOutcome | undefined {
    return this.#outcome;
  }

  get progress(): JobProgress | undefined {
    return this.#progress;
  }

  /** A sink for the next holder; the one before is refused from now on (I3). */
  hold(): JournalSink {
    this.#holder += 1;
    this.#outcome = undefined;
    const holder = this.#holder;
    return {
      append: (entries, progress) => this.#append(holder, entries, progress),
      finish: async (entries, outcome) => {
        await this.#append(holder, entries, undefined);
        this.#outcome = outcome;
        this.#holder += 1;
      },
    };
  }

  #append(holder: number, entries: readonly JournalEntry[], progress: JobProgress | undefined): Promise<void> {
    if (holder !== this.#holder) return Promise.reject(mvmError('STALE_LEASE', 'the journal has another holder now'));
    this.#entries.push(...entries);
    this.#progress = progress ?? this.#progress;
    return Promise.resolve();
  }
}

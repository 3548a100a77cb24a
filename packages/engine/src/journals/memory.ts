/** A journal in memory: for tests, and for runs whose history nobody needs. */
import {
  mvmError,
  type FinishOutcome,
  type InboxItem,
  type InternalEffect,
  type JobProgress,
  type JournalEntry,
} from '@mvm-ci/protocol';
import type { AppendExtras, Appended, JournalSink } from '../journal.ts';
import { MemoryInbox, type ApplyEffect } from './memory-inbox.ts';

/** What surrounds a journal in memory. */
export interface MemoryJournalOptions {
  /** @default an empty one */
  readonly inbox?: MemoryInbox | undefined;
  /** Applies what the job does inside the system. @default everything is done, and nothing comes of it */
  readonly apply?: ApplyEffect | undefined;
}

/** One attempt's entries. What was appended is as durable as it will ever be. */
export class MemoryJournal {
  readonly inbox: MemoryInbox;
  readonly #apply: ApplyEffect;
  readonly #entries: JournalEntry[];
  readonly #effects: InternalEffect[] = [];
  #holder = 0;
  #outcome: FinishOutcome | undefined;
  #progress: JobProgress | undefined;

  /** Goes on after `entries`. */
  constructor(entries: readonly JournalEntry[] = [], options: MemoryJournalOptions = {}) {
    this.#entries = [...entries];
    this.inbox = options.inbox ?? new MemoryInbox();
    this.#apply = options.apply ?? ((): undefined => undefined);
  }

  get entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  /** Everything that was done inside the system, in its order. */
  get effects(): readonly InternalEffect[] {
    return this.#effects;
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
      append: (entries, extras) => this.#append(holder, entries, extras),
      finish: async (entries, outcome, extras) => {
        await this.#append(holder, entries, extras);
        this.#outcome = outcome;
        this.#holder += 1;
      },
    };
  }

  #append(holder: number, entries: readonly JournalEntry[], extras: AppendExtras = {}): Promise<Appended> {
    if (holder !== this.#holder) return Promise.reject(mvmError('STALE_LEASE', 'the journal has another holder now'));
    this.#entries.push(...entries);
    this.#progress = extras.progress ?? this.#progress;
    return Promise.resolve({ refused: this.#applyAll(extras.internal ?? []) });
  }

  #applyAll(effects: readonly InternalEffect[]): readonly InboxItem[] {
    this.#effects.push(...effects);
    return this.inbox.apply(effects, this.#apply);
  }
}

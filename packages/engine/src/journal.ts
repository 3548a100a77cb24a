import type { FinishOutcome, InboxItem, InternalEffect, JobProgress, JournalEntry } from '@mvm-ci/protocol';

/** What goes along with entries. */
export interface AppendExtras {
  readonly progress?: JobProgress | undefined;
  /**
   * Applied in the transaction that stores the *last* of the entries (I7). An `intents` entry that has effects inside the
   * system is the last one of its append.
   */
  readonly internal?: readonly InternalEffect[] | undefined;
}

/** An append is durable. */
export interface Appended {
  /** The inbox items that tell which internal effects were refused; of this append, and perhaps of neighbours. */
  readonly refused: readonly InboxItem[];
}

/**
 * Where the entries of one attempt go. Implementations: memory and SQLite here, the control plane in the worker. One
 * conformance suite holds for all of them.
 *
 * Calls are made in order and not awaited between: an implementation keeps their order and may write several in one
 * batch. After `finish` nothing else is called.
 */
export interface JournalSink {
  /**
   * Adds entries at the end of the attempt's journal.
   *
   * @returns when they are durable (I2): what I4 waits for
   * @throws {StaleLeaseError} `STALE_LEASE` when another holder has the job now (I3)
   */
  append(entries: readonly JournalEntry[], extras?: AppendExtras): Promise<Appended>;

  /**
   * Adds the last entries and ends the hold on the job in the same transaction (I7).
   *
   * @throws {StaleLeaseError} `STALE_LEASE` when another holder has the job now (I3)
   */
  finish(entries: readonly JournalEntry[], outcome: FinishOutcome, extras?: AppendExtras): Promise<void>;
}

/** Nothing was refused. */
export const appended: Appended = { refused: [] };

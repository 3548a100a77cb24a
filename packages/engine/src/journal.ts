import type { FinishOutcome, JobProgress, JournalEntry } from '@mvm-ci/protocol';

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
  append(entries: readonly JournalEntry[], progress?: JobProgress): Promise<void>;

  /**
   * Adds the last entries and ends the hold on the job in the same transaction (I7).
   *
   * @throws {StaleLeaseError} `STALE_LEASE` when another holder has the job now (I3)
   */
  finish(entries: readonly JournalEntry[], outcome: FinishOutcome): Promise<void>;
}

/** What a SQLite journal store and its thread say to each other. */
import type { FinishOutcome, JobProgress, JournalBatch } from '@mvm-ci/protocol';

/** One attempt under one holder. */
export interface HoldRef {
  readonly job: string;
  readonly attempt: number;
  /** Grows with every holder (I3). */
  readonly epoch: number;
}

/** Entries to add and, with `outcome`, the end of the hold in the same transaction (I7). */
export interface SqliteWrite extends HoldRef {
  readonly batch?: JournalBatch | undefined;
  readonly progress?: JobProgress | undefined;
  readonly outcome?: FinishOutcome | undefined;
}

/** To the thread. One message is one transaction. */
export type SqliteRequest =
  | { readonly type: 'hold'; readonly id: number; readonly job: string; readonly attempt: number }
  | { readonly type: 'write'; readonly id: number; readonly writes: readonly SqliteWrite[] }
  | { readonly type: 'close'; readonly id: number };

/** From the thread, after the commit. */
export type SqliteAnswer =
  | { readonly type: 'held'; readonly id: number; readonly epoch: number; readonly batches: readonly JournalBatch[] }
  /** One entry per write: whether it was accepted. */
  | { readonly type: 'written'; readonly id: number; readonly accepted: readonly boolean[] }
  | { readonly type: 'closed'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly message: string };

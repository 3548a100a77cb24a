/**
 * What a SQLite journal store and its thread say to each other. Both ways a message is a list, packed
 * (`message-form.ts`); each request is answered once, and the answers to one list come in its order.
 */
import type { FinishOutcome, JobProgress } from '@mvm-ci/protocol';
import { messageForm, type MessageForm } from '../message-form.ts';

/** One attempt under one holder. */
export interface HoldRef {
  /** The attempt's row in the file. */
  readonly row: number;
  /** Grows with every holder (I3). */
  readonly epoch: number;
}

/** Entries to add and, with `outcome`, the end of the hold in the same transaction (I7). */
export interface SqliteWrite extends HoldRef {
  readonly type: 'write';
  /** Number of entries in `bytes`. */
  readonly count: number;
  /** The encoded entries, one after another. */
  readonly bytes: Uint8Array;
  readonly progress: JobProgress | undefined;
  readonly outcome: FinishOutcome | undefined;
}

/** To the thread. */
export type SqliteRequest =
  | { readonly type: 'hold'; readonly job: string; readonly attempt: number }
  /** The next piece of a journal, from entry `from` on. */
  | { readonly type: 'read'; readonly row: number; readonly from: number }
  | SqliteWrite
  | { readonly type: 'close' };

/** A part of a journal whose chain was checked. */
export interface JournalPiece {
  readonly count: number;
  /** The encoded entries, one after another. */
  readonly bytes: Uint8Array;
  /** Number of the entry after the piece, null at the journal's end. */
  readonly next: number | null;
}

/** From the thread. */
export type SqliteAnswer =
  /** Not yet durable by itself: see `journal-file.ts`, rule 3. */
  | { readonly type: 'held'; readonly row: number; readonly epoch: number; readonly piece: JournalPiece }
  | { readonly type: 'piece'; readonly piece: JournalPiece }
  /** After the commit, whether the write was accepted. */
  | { readonly type: 'written'; readonly accepted: boolean }
  | { readonly type: 'closed' }
  /** What is stored doesn't fit together. */
  | { readonly type: 'corrupt'; readonly message: string; readonly firstSeq: number }
  | { readonly type: 'failed'; readonly message: string };

/** To the thread. */
export const requestsForm: MessageForm<readonly SqliteRequest[]> = messageForm();
/** From the thread. */
export const answersForm: MessageForm<readonly SqliteAnswer[]> = messageForm();

/**
 * A journal batch: the entries of one append, linked to the batch before it by a hash. The chain starts at the job and
 * attempt, so a batch of another job never fits. Source: `docs/reference/journal.md`.
 */
import { mvmError } from '../error.ts';
import { blake3, bytesEqual } from '../hash.ts';
import { pack } from '../packer.ts';
import { decodeEntries, journalFormat, type JournalEntry } from './entry.ts';

/** Entries `firstSeq … firstSeq + count - 1` of one attempt. */
export interface JournalBatch {
  /** Number of the first entry; an attempt's first entry has 0. */
  readonly firstSeq: number;
  readonly count: number;
  /** The encoded entries, one after another. */
  readonly bytes: Uint8Array;
  /** {@link chainHash} over the hash of the batch before. */
  readonly hash: Uint8Array;
}

/** What stands before the first batch of an attempt. */
export const chainStart = (job: string, attempt: number): Uint8Array =>
  blake3(pack(['mvm-ci journal', journalFormat, job, attempt]));

/** The hash of a batch: BLAKE3 over the previous hash, a packed header and the entries' bytes. */
export const chainHash = (previous: Uint8Array, batch: Omit<JournalBatch, 'hash'>): Uint8Array =>
  blake3(previous, pack([journalFormat, batch.firstSeq, batch.count]), batch.bytes);

/**
 * All entries of an attempt's batches, after checking numbers and chain.
 *
 * @throws {MvmError} `JOURNAL_CORRUPT` naming the first batch that doesn't follow from the one before.
 */
export const readBatches = (start: Uint8Array, batches: readonly JournalBatch[]): readonly JournalEntry[] => {
  checkBatches(start, batches);
  return batchEntries(batches);
};

/**
 * Checks numbers and chain of an attempt's batches, without looking into their entries.
 *
 * @param start the hash before the first of them: {@link chainStart}, or that of the batch before
 * @param firstSeq the number that the first of them must begin with @default 0
 * @throws {MvmError} `JOURNAL_CORRUPT` naming the first batch that doesn't follow from the one before.
 */
export const checkBatches = (start: Uint8Array, batches: readonly JournalBatch[], firstSeq = 0): void => {
  let previous = start;
  let seq = firstSeq;
  for (const batch of batches) {
    if (batch.firstSeq !== seq) throw corrupt(batch, `entry ${seq} was expected`);
    if (!bytesEqual(chainHash(previous, batch), batch.hash))
      throw corrupt(batch, 'its hash does not match its content');
    previous = batch.hash;
    seq += batch.count;
  }
};

/** The entries of batches that were checked. @throws {MvmError} `JOURNAL_CORRUPT` when one holds other than it says. */
export const batchEntries = (batches: readonly JournalBatch[]): readonly JournalEntry[] => {
  const entries: JournalEntry[] = [];
  for (const batch of batches) {
    const decoded = decodeEntries(batch.bytes);
    if (decoded.length !== batch.count)
      throw corrupt(batch, `it holds ${decoded.length} entries and says ${batch.count}`);
    // One by one: a batch may hold more entries than a call takes arguments.
    for (const entry of decoded) entries.push(entry);
  }
  return entries;
};

const corrupt = (batch: JournalBatch, why: string): Error =>
  mvmError('JOURNAL_CORRUPT', `the journal batch at entry ${batch.firstSeq} is damaged: ${why}`, {
    firstSeq: batch.firstSeq,
  });

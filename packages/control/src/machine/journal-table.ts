import type { JournalBatch } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { bytes, number, type Row } from './column.ts';

/** Where a batch stands: the job's number, the attempt, its first entry. */
export interface BatchPlace {
  readonly job: number;
  readonly attempt: number;
  readonly firstSeq: number;
}

/** A batch and the epoch that appended it. */
export interface StoredBatch extends JournalBatch {
  readonly epoch: number;
}

/** A row: a batch, or with `isBlock` several of them as one block (`journal-block.ts`). */
export interface JournalRow extends StoredBatch {
  readonly attempt: number;
  readonly isBlock: boolean;
}

/** A row of `journal`. */
export const journalRow = (row: Row): JournalRow => ({
  ...storedBatch(row),
  attempt: number(row, 'attempt'),
  isBlock: number(row, 'packed') === 1,
});

/** A batch, from a row of `journal`. */
const storedBatch = (row: Row): StoredBatch => ({
  firstSeq: number(row, 'first_seq'),
  count: number(row, 'count'),
  epoch: number(row, 'epoch'),
  bytes: bytes(row, 'bytes'),
  hash: bytes(row, 'hash'),
});

/** The table `journal`: batches are added and never changed; those of earlier attempts are kept. Those of a job that is over become blocks. */
export class JournalTable {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;
  readonly #unpacked: StatementSync;
  readonly #delete: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare('SELECT * FROM journal WHERE job = ? AND attempt = ? AND first_seq = ?');
    this.#unpacked = db.prepare('SELECT * FROM journal WHERE job = ? AND packed = 0 ORDER BY attempt, first_seq');
    this.#delete = db.prepare('DELETE FROM journal WHERE job = ? AND attempt = ? AND first_seq BETWEEN ? AND ?');
    this.#insert = db.prepare('INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
  }

  find(place: BatchPlace): StoredBatch | undefined {
    const row = this.#find.get(place.job, place.attempt, place.firstSeq);
    return row === undefined ? undefined : storedBatch(row);
  }

  /** The batches of a job's attempts that are not in a block, in their order. */
  unpacked(job: number): readonly JournalRow[] {
    return this.#unpacked.all(job).map(journalRow);
  }

  /** Puts a block in the place of the batches from its own first entry to the one that begins at `lastSeq`. */
  replace(place: BatchPlace, lastSeq: number, block: StoredBatch): void {
    const { job, attempt, firstSeq } = place;
    this.#delete.run(job, attempt, firstSeq, lastSeq);
    this.#insert.run(job, attempt, firstSeq, block.count, block.epoch, block.bytes, block.hash, 1);
  }

  insert(place: BatchPlace, batch: StoredBatch): void {
    this.#insert.run(place.job, place.attempt, place.firstSeq, batch.count, batch.epoch, batch.bytes, batch.hash, 0);
  }
}

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

/** A batch, from a row of `journal`. */
export const storedBatch = (row: Row): StoredBatch => ({
  firstSeq: number(row, 'first_seq'),
  count: number(row, 'count'),
  epoch: number(row, 'epoch'),
  bytes: bytes(row, 'bytes'),
  hash: bytes(row, 'hash'),
});

/** The table `journal`: batches are added and never changed; those of earlier attempts are kept. */
export class JournalTable {
  readonly #find: StatementSync;
  readonly #insert: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare('SELECT * FROM journal WHERE job = ? AND attempt = ? AND first_seq = ?');
    this.#insert = db.prepare('INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)');
  }

  find(place: BatchPlace): StoredBatch | undefined {
    const row = this.#find.get(place.job, place.attempt, place.firstSeq);
    return row === undefined ? undefined : storedBatch(row);
  }

  insert(place: BatchPlace, batch: StoredBatch): void {
    this.#insert.run(place.job, place.attempt, place.firstSeq, batch.count, batch.epoch, batch.bytes, batch.hash);
  }
}

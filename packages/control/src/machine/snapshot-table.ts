/** The table `snapshots`: the latest state of each job's guest, while its attempt goes on. A row that is missing or damaged costs a replay. */
import type { StoredSnapshot } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { bytes, bytesOrNull, number, text, type Row } from './column.ts';

/** The snapshot of an attempt; parameters: job id, attempt or null for the current one. */
export const snapshotSql =
  'SELECT snapshots.* FROM snapshots JOIN jobs ON jobs.number = snapshots.job WHERE jobs.id = ? AND snapshots.attempt = coalesce(?, jobs.attempt)';

/** A snapshot, from a row of `snapshots`. */
export const storedSnapshot = (row: Row): StoredSnapshot => ({
  entries: number(row, 'entries'),
  runtime: text(row, 'runtime'),
  imageHash: text(row, 'image_hash'),
  bytes: bytes(row, 'bytes'),
  seal: bytes(row, 'seal'),
  head: bytesOrNull(row, 'head') ?? undefined,
  headSeal: bytesOrNull(row, 'head_seal') ?? undefined,
});

/** See the head of this file. */
export class SnapshotTable {
  readonly #put: StatementSync;
  readonly #delete: StatementSync;

  constructor(db: DatabaseSync) {
    this.#put = db.prepare('INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
    this.#delete = db.prepare('DELETE FROM snapshots WHERE job = ?');
  }

  /** `job` is the job's number. */
  put(job: number, attempt: number, snapshot: StoredSnapshot): void {
    const { entries, runtime, imageHash, seal, bytes: state, head = null, headSeal = null } = snapshot;
    this.#put.run(job, attempt, entries, runtime, imageHash, seal, state, head, headSeal);
  }

  delete(job: number): void {
    this.#delete.run(job);
  }
}

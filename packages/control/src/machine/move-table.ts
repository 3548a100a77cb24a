/** The table `moves`: jobs whose holder was asked to give them back, for a worker that is to go on with them. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { text } from './column.ts';
import { jobRow, type JobRow } from './job-row.ts';
import { jobRowSql } from './job-table.ts';

// Those that their last holders gave back: the next attempt of one that failed, and one whose lease was lost, wait as all others do.
const waitingSql = `
  ${jobRowSql} WHERE number IN (SELECT job FROM moves WHERE worker = ?)
    AND state = 'pending' AND finished_epoch = epoch AND attempt_at IS NOT NULL
  ORDER BY number LIMIT +?`;

/** See the head of this file. Jobs are named by their numbers. */
export class MoveTable {
  readonly #put: StatementSync;
  readonly #find: StatementSync;
  readonly #delete: StatementSync;
  readonly #waiting: StatementSync;

  constructor(db: DatabaseSync) {
    this.#put = db.prepare('INSERT OR REPLACE INTO moves VALUES (?, ?)');
    this.#find = db.prepare('SELECT worker FROM moves WHERE job = ?');
    this.#delete = db.prepare('DELETE FROM moves WHERE job = ?');
    this.#waiting = db.prepare(waitingSql);
  }

  put(job: number, worker: string): void {
    this.#put.run(job, worker);
  }

  /** The worker that is to go on with a job. */
  workerFor(job: number): string | undefined {
    const row = this.#find.get(job);
    return row === undefined ? undefined : text(row, 'worker');
  }

  delete(job: number): void {
    this.#delete.run(job);
  }

  /** Jobs that were given back and wait for this worker. */
  waitingFor(worker: string, count: number): readonly JobRow[] {
    return this.#waiting.all(worker, count).map(jobRow);
  }
}

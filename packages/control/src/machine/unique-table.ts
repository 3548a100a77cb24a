import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { number, numberOrNull } from './column.ts';

/** Who has a unique key. */
export interface UniqueHolder {
  /** Its job's number. */
  readonly job: number;
  /** Until when, also when the job is over; null: until it is. */
  readonly until: number | null;
}

/** The table `uniques`: which job has which unique key. An entry that says nothing any more stays until the key is taken again, or its job goes. */
export class UniqueTable {
  readonly #find: StatementSync;
  readonly #put: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare('SELECT job, until FROM uniques WHERE key = ?');
    this.#put = db.prepare(
      'INSERT INTO uniques VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET job = excluded.job, until = excluded.until',
    );
  }

  find(key: string): UniqueHolder | undefined {
    const row = this.#find.get(key);
    return row === undefined ? undefined : { job: number(row, 'job'), until: numberOrNull(row, 'until') };
  }

  put(key: string, { job, until }: UniqueHolder): void {
    this.#put.run(key, job, until);
  }
}

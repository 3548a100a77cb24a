import { mvmError } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { number, numberOrNull, text, textOrNull, type Row } from './column.ts';

/** A schedule as it is stored. Times are Unix ms. */
export interface ScheduleRecord {
  readonly name: string;
  /** `ScheduleSpec`, JSON text. */
  readonly spec: string;
  readonly nextAt: number | null;
  readonly lastAt: number | null;
  readonly lastJob: string | null;
  readonly skipped: number;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
}

/** A schedule, from a row of `schedules`. */
export const scheduleRecord = (row: Row): ScheduleRecord => ({
  name: text(row, 'name'),
  spec: text(row, 'spec'),
  nextAt: numberOrNull(row, 'next_at'),
  lastAt: numberOrNull(row, 'last_at'),
  lastJob: textOrNull(row, 'last_job'),
  skipped: number(row, 'skipped'),
  errorCode: textOrNull(row, 'error_code'),
  errorMessage: textOrNull(row, 'error_message'),
});

/** The table `schedules`. */
export class ScheduleTable {
  readonly #find: StatementSync;
  readonly #count: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare('SELECT * FROM schedules WHERE name = ?');
    this.#count = db.prepare('SELECT count(*) AS count FROM schedules');
    this.#put = db.prepare('INSERT OR REPLACE INTO schedules VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#delete = db.prepare('DELETE FROM schedules WHERE name = ?');
  }

  find(name: string): ScheduleRecord | undefined {
    const row = this.#find.get(name);
    return row === undefined ? undefined : scheduleRecord(row);
  }

  /** @throws SCHEDULE_NOT_FOUND */
  get(name: string): ScheduleRecord {
    const found = this.find(name);
    if (found === undefined) {
      throw mvmError('SCHEDULE_NOT_FOUND', `no schedule has the name "${name}"`, { schedule: name });
    }
    return found;
  }

  count(): number {
    const row = this.#count.get();
    return row === undefined ? 0 : number(row, 'count');
  }

  put(record: ScheduleRecord): ScheduleRecord {
    const { name, spec, nextAt, lastAt, lastJob, skipped, errorCode, errorMessage } = record;
    this.#put.run(name, spec, nextAt, lastAt, lastJob, skipped, errorCode, errorMessage);
    return record;
  }

  delete(name: string): void {
    this.#delete.run(name);
  }
}

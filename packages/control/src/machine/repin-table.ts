/** The table `repins`: which attempts went on with another module than the one that their journal's first entry names, and from where. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** One change of an attempt's module. */
export interface Repin {
  /** The job's number. */
  readonly job: number;
  readonly attempt: number;
  /** Entries in its journal when it changed. */
  readonly entries: number;
  /** Module hashes. */
  readonly from: string;
  readonly to: string;
  /** Unix ms. */
  readonly at: number;
}

/** The last module of an attempt that was moved; parameters: job number, attempt. */
export const repinnedModuleSql =
  'SELECT module_to AS module FROM repins WHERE job = ? AND attempt = ? ORDER BY number DESC LIMIT 1';

/** See the head of this file. */
export class RepinTable {
  readonly #insert: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare(
      'INSERT INTO repins (job, attempt, entries, module_from, module_to, at) VALUES (?, ?, ?, ?, ?, ?)',
    );
  }

  insert({ job, attempt, entries, from, to, at }: Repin): void {
    this.#insert.run(job, attempt, entries, from, to, at);
  }
}

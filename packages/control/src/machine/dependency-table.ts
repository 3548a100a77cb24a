import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { number } from './column.ts';

/** The table `dependencies`: which job waits for the end of which, by their numbers. */
export class DependencyTable {
  readonly #insert: StatementSync;
  readonly #dependents: StatementSync;
  readonly #dependencies: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT INTO dependencies VALUES (?, ?)');
    this.#dependents = db.prepare('SELECT job FROM dependencies WHERE awaited = ? ORDER BY job');
    this.#dependencies = db.prepare('SELECT awaited FROM dependencies WHERE job = ? ORDER BY awaited');
  }

  insert(awaited: number, job: number): void {
    this.#insert.run(awaited, job);
  }

  /** The jobs that wait for `awaited`. */
  dependents(awaited: number): readonly number[] {
    return this.#dependents.all(awaited).map((row) => number(row, 'job'));
  }

  /** The jobs that `job` waits for, or waited for. */
  dependencies(job: number): readonly number[] {
    return this.#dependencies.all(job).map((row) => number(row, 'awaited'));
  }
}

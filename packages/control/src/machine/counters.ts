/**
 * Running numbers and the count of jobs in each state, so that statistics cost no scan. They live in memory while a
 * transaction is built, and `save` writes those that changed into it.
 */
import { jobStates, type JobState } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { number, text } from './column.ts';

/**
 * `change` numbers transitions, `job` publishes, `deployment` deployments; `compacted` is the change up to which journals are packed; the
 * others count jobs by state.
 */
export type CounterName = 'change' | 'job' | 'deployment' | 'compacted' | JobState;

/** A copy of all counters. */
export type CounterValues = Readonly<Record<CounterName, number>>;

const names: readonly CounterName[] = ['change', 'job', 'deployment', 'compacted', ...jobStates];

const zero: CounterValues = {
  change: 0,
  job: 0,
  deployment: 0,
  compacted: 0,
  pending: 0,
  claimed: 0,
  in_progress: 0,
  waiting: 0,
  completed: 0,
  failed: 0,
  cancelled: 0,
};

/** The counters as they are committed. */
export const storedCounters = (db: DatabaseSync): CounterValues => {
  const values: Record<string, number> = {};
  for (const row of db.prepare('SELECT name, value FROM counters').all())
    values[text(row, 'name')] = number(row, 'value');
  return { ...zero, ...values };
};

/** See the head of this file. */
export class Counters {
  readonly #write: StatementSync;
  #values: Record<CounterName, number>;
  #saved: CounterValues;

  constructor(db: DatabaseSync) {
    this.#write = db.prepare('UPDATE counters SET value = ? WHERE name = ?');
    this.#saved = storedCounters(db);
    this.#values = { ...this.#saved };
  }

  get(name: CounterName): number {
    return this.#values[name];
  }

  /** The next value of a running number. */
  next(name: 'change' | 'job' | 'deployment'): number {
    this.#values[name] += 1;
    return this.#values[name];
  }

  set(name: 'compacted', value: number): void {
    this.#values[name] = value;
  }

  /** A job goes from one state to another; `from` null: it is new. */
  move(from: JobState | null, to: JobState): void {
    if (from !== null) this.#values[from] -= 1;
    this.#values[to] += 1;
  }

  /** A job is forgotten. */
  forget(state: JobState): void {
    this.#values[state] -= 1;
  }

  snapshot(): CounterValues {
    return { ...this.#values };
  }

  restore(values: CounterValues): void {
    this.#values = { ...values };
  }

  /** Writes what changed since the last save. */
  save(): void {
    for (const name of names) if (this.#values[name] !== this.#saved[name]) this.#write.run(this.#values[name], name);
    this.#saved = { ...this.#values };
  }

  /** Goes back to what the database holds, after a transaction that did not commit. */
  reload(db: DatabaseSync): void {
    this.#saved = storedCounters(db);
    this.#values = { ...this.#saved };
  }
}

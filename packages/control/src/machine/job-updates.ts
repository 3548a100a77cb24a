/**
 * Writes what changed of a job. Few combinations of columns ever change together, so each has statements of its own: to give
 * SQLite all columns each time costs more than the update. Jobs that are claimed together mostly stand next to each other and get
 * the same values: one statement for all of them spares a fifth of a claim.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { JobRecord } from './job-row.ts';

interface Column {
  readonly name: string;
  readonly value: (job: JobRecord) => SQLInputValue;
}

/** The columns that ever change, each of them at most once: the number of a place is its bit in a combination. */
const columns: readonly Column[] = [
  { name: 'state', value: (job) => job.state },
  { name: 'attempt', value: (job) => job.attempt },
  { name: 'epoch', value: (job) => job.epoch },
  { name: 'lost_leases', value: (job) => job.lostLeases },
  { name: 'strikes', value: (job) => job.strikes },
  { name: 'claimed_at', value: (job) => job.claimedAt },
  { name: 'claimed_entries', value: (job) => job.claimedEntries },
  { name: 'resumes', value: (job) => job.resumes },
  { name: 'run_at', value: (job) => job.runAt },
  { name: 'worker', value: (job) => job.worker },
  { name: 'incarnation', value: (job) => job.incarnation },
  { name: 'cancel_reason', value: (job) => job.cancelReason },
  { name: 'journal_entries', value: (job) => job.journalEntries },
  { name: 'journal_bytes', value: (job) => job.journalBytes },
  { name: 'journal_hash', value: (job) => job.journalHash },
  { name: 'progress_percent', value: (job) => job.progressPercent },
  { name: 'progress_text', value: (job) => job.progressText },
  { name: 'result', value: (job) => job.result },
  { name: 'error_code', value: (job) => job.errorCode },
  { name: 'error_message', value: (job) => job.errorMessage },
  { name: 'completed_by', value: (job) => job.completedBy },
  { name: 'finished_epoch', value: (job) => job.finishedEpoch },
  { name: 'finished_by', value: (job) => job.finishedBy },
  { name: 'outcome_hash', value: (job) => job.outcomeHash },
  { name: 'updated_at', value: (job) => job.updatedAt },
  { name: 'inbox_last', value: (job) => job.inboxLast },
  { name: 'inbox_items', value: (job) => job.inboxItems },
  { name: 'lane', value: (job) => job.lane },
  { name: 'rank', value: (job) => job.rank },
  { name: 'deadline_at', value: (job) => job.deadlineAt },
  { name: 'attempt_at', value: (job) => job.attemptAt },
  { name: 'cancel_at', value: (job) => job.cancelAt },
  { name: 'attempts_forgiven', value: (job) => job.attemptsForgiven },
  { name: 'dependencies_left', value: (job) => job.dependenciesLeft },
  { name: 'bare', value: (job) => (job.bare ? 1 : 0) },
  { name: 'has_children', value: (job) => (job.hasChildren ? 1 : 0) },
  { name: 'ready', value: (job) => (job.isReady ? 1 : 0) },
];

/** Rows next to each other that get the same values, and change numbers that follow each other as well. */
interface Stretch {
  readonly combination: number;
  readonly values: readonly SQLInputValue[];
  readonly first: number;
  last: number;
  /** From the number of a row to that of its change. */
  readonly shift: number;
}

interface Statements {
  readonly one: StatementSync;
  readonly many: StatementSync;
}

/** See the head of this file. */
export class JobUpdates {
  readonly #db: DatabaseSync;
  readonly #statements: Map<number, Statements> = new Map();
  #stretch: Stretch | undefined;
  #isGathering = false;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** Makes the row of `before` that of `saved`; at the latest at the end of `together`. */
  write(before: JobRecord, saved: JobRecord): void {
    const values: SQLInputValue[] = [];
    let combination = 0;
    let bit = 1;
    for (const { value } of columns) {
      const next = value(saved);
      if (next !== value(before)) {
        values.push(next);
        combination += bit;
      }
      bit *= 2;
    }
    const { number, change } = saved;
    if (this.#isGathering) this.#gather({ combination, values, first: number, last: number, shift: change - number });
    else this.#statementsOf(combination).one.run(...values, change, number);
  }

  /** Writes what `run` wants written in as few statements as possible; `run` must read no job that it writes. */
  together<T>(run: () => T): T {
    this.#isGathering = true;
    try {
      const result = run();
      this.#flush();
      return result;
    } finally {
      // Of a command that fails nothing is to be written.
      this.#stretch = undefined;
      this.#isGathering = false;
    }
  }

  #gather(row: Stretch): void {
    if (this.#stretch !== undefined && goesOn(this.#stretch, row)) this.#stretch.last = row.first;
    else {
      this.#flush();
      this.#stretch = row;
    }
  }

  #flush(): void {
    if (this.#stretch === undefined) return;
    const { combination, values, first, last, shift } = this.#stretch;
    this.#stretch = undefined;
    const { one, many } = this.#statementsOf(combination);
    if (first === last) one.run(...values, first + shift, first);
    else many.run(...values, shift, first, last);
  }

  #statementsOf(combination: number): Statements {
    const known = this.#statements.get(combination);
    if (known !== undefined) return known;
    const names = columns.filter((_, place) => Math.floor(combination / 2 ** place) % 2 === 1).map(({ name }) => name);
    const assigned = names.map((name) => `${name} = ?, `).join('');
    const statements = {
      one: this.#db.prepare(`UPDATE jobs SET ${assigned}change = ? WHERE number = ?`),
      many: this.#db.prepare(`UPDATE jobs SET ${assigned}change = number + ? WHERE number BETWEEN ? AND ?`),
    };
    this.#statements.set(combination, statements);
    return statements;
  }
}

const goesOn = (stretch: Stretch, row: Stretch): boolean =>
  stretch.combination === row.combination &&
  stretch.last + 1 === row.first &&
  stretch.shift === row.shift &&
  stretch.values.every((value, place) => value === row.values[place]);

/**
 * Writes what changed of a job. Few combinations of columns ever change together, so each has statements of its own: to give
 * SQLite all columns each time costs more than the update. Jobs that are claimed together mostly stand next to each other and get
 * the same values: one statement for all of them spares a fifth of a claim.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { JobRecord } from './job-row.ts';

/** The columns that ever change, but for the number of the change: the place of a name is its bit in a combination. */
const names: readonly string[] = [
  'state',
  'attempt',
  'epoch',
  'lost_leases',
  'strikes',
  'claimed_at',
  'claimed_entries',
  'resumes',
  'run_at',
  'worker',
  'incarnation',
  'cancel_reason',
  'journal_entries',
  'journal_bytes',
  'journal_hash',
  'progress_percent',
  'progress_text',
  'result',
  'error_code',
  'error_message',
  'completed_by',
  'finished_epoch',
  'finished_by',
  'outcome_hash',
  'updated_at',
  'inbox_last',
  'inbox_items',
  'lane',
  'rank',
  'deadline_at',
  'attempt_at',
  'cancel_at',
  'attempts_forgiven',
  'retried_at',
  'dependencies_left',
  'bare',
  'has_children',
  'ready',
];

/** Their values in the same order: read at once, as a call for each costs more than to compare them. */
const valuesOf = (job: JobRecord): readonly SQLInputValue[] => [
  job.state,
  job.attempt,
  job.epoch,
  job.lostLeases,
  job.strikes,
  job.claimedAt,
  job.claimedEntries,
  job.resumes,
  job.runAt,
  job.worker,
  job.incarnation,
  job.cancelReason,
  job.journalEntries,
  job.journalBytes,
  job.journalHash,
  job.progressPercent,
  job.progressText,
  job.result,
  job.errorCode,
  job.errorMessage,
  job.completedBy,
  job.finishedEpoch,
  job.finishedBy,
  job.outcomeHash,
  job.updatedAt,
  job.inboxLast,
  job.inboxItems,
  job.lane,
  job.rank,
  job.deadlineAt,
  job.attemptAt,
  job.cancelAt,
  job.attemptsForgiven,
  job.retriedAt,
  job.dependenciesLeft,
  job.bare ? 1 : 0,
  job.hasChildren ? 1 : 0,
  job.isReady ? 1 : 0,
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
    const old = valuesOf(before);
    const values: SQLInputValue[] = [];
    let combination = 0;
    let place = 0;
    for (const value of valuesOf(saved)) {
      if (value !== old[place]) {
        values.push(value);
        combination += 2 ** place;
      }
      place += 1;
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
    const changed = names.filter((_, place) => Math.floor(combination / 2 ** place) % 2 === 1);
    const assigned = changed.map((name) => `${name} = ?, `).join('');
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

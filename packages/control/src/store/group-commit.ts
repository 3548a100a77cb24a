/**
 * Applies commands in groups, one transaction each.
 *
 * 1. Nothing is answered before the commit that holds it is synced (I2).
 * 2. A refused command leaves nothing behind and does not touch the others of its group: each has a savepoint, but for those that
 *    come before any that was not refused: what they wrote is all that the transaction holds. SQLite copies each page that
 *    is written behind a savepoint.
 * 3. When the transaction can't be committed, every command of the group is refused with UNAVAILABLE, and the next group
 *    starts from what the database holds.
 */
import { asMvmError, mvmError, MvmError, type Clock, type ErrorRecord } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { apply, type Applied } from '../machine/apply.ts';
import type { Command } from '../machine/command.ts';
import { openTables, type Tables } from '../machine/tables.ts';

/** What became of one command. */
export type CommandOutcome = ({ readonly ok: true } & Applied) | { readonly ok: false; readonly error: ErrorRecord };

/** What it asks its surroundings. */
export interface GroupCommitOptions {
  /** How much room its disk has, to say so when that is full; null: nobody knows. @default nobody knows */
  readonly freeBytes?: (() => number | null) | undefined;
  /** Measures commits, and decides nothing (I1). @default they take no time */
  readonly clock?: Pick<Clock, 'monotonicMs'> | undefined;
}

const noClock: Pick<Clock, 'monotonicMs'> = { monotonicMs: () => 0 };

/** See the head of this file. */
export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #tables: Tables;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #savepoint: StatementSync;
  readonly #release: StatementSync;
  readonly #freeBytes: () => number | null;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #commitMs = 0;

  /** `db` has the current schema and no open transaction. */
  constructor(db: DatabaseSync, { freeBytes = () => null, clock = noClock }: GroupCommitOptions = {}) {
    this.#db = db;
    this.#freeBytes = freeBytes;
    this.#clock = clock;
    this.#tables = openTables(db);
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#savepoint = db.prepare('SAVEPOINT command');
    this.#release = db.prepare('RELEASE command');
  }

  /** How long the last commit took, with its sync. */
  get commitMs(): number {
    return this.#commitMs;
  }

  /** One outcome per command, in order. Never throws. */
  run(commands: readonly Command[]): readonly CommandOutcome[] {
    try {
      this.#begin.run();
      const outcomes: CommandOutcome[] = [];
      let isFresh = true;
      for (const command of commands) {
        const outcome = this.#one(command, isFresh);
        isFresh &&= !outcome.ok;
        outcomes.push(outcome);
      }
      this.#tables.counters.save();
      const beganMs = this.#clock.monotonicMs();
      this.#commit.run();
      this.#commitMs = this.#clock.monotonicMs() - beganMs;
      return outcomes;
    } catch (error) {
      return this.#refuseAll(commands, error);
    }
  }

  /** `isFresh`: rule 2. */
  #one(command: Command, isFresh: boolean): CommandOutcome {
    const before = this.#tables.counters.snapshot();
    this.#tables.lanes.begin();
    this.#tables.queues.begin();
    this.#tables.modules.begin();
    if (!isFresh) this.#savepoint.run();
    try {
      const applied = apply(this.#tables, command);
      if (!isFresh) this.#release.run();
      return { ok: true, ...applied };
    } catch (error) {
      if (endsTheGroup(error) || !this.#db.isTransaction) throw error;
      this.#db.exec(isFresh ? 'ROLLBACK; BEGIN IMMEDIATE' : 'ROLLBACK TO command; RELEASE command');
      this.#tables.counters.restore(before);
      this.#tables.jobs.undo();
      this.#tables.lanes.undo();
      this.#tables.queues.undo();
      this.#tables.modules.undo();
      return { ok: false, error: asMvmError(error).toRecord() };
    }
  }

  #refuseAll(commands: readonly Command[], cause: unknown): readonly CommandOutcome[] {
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#tables.jobs.undo();
    try {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#tables.counters.reload(this.#db);
      this.#tables.lanes.reload();
      this.#tables.queues.reload();
      this.#tables.modules.reload();
    } catch {
      // The database can't even be read: the next group finds out, and is refused as well.
    }
    const error = mvmError('UNAVAILABLE', `the store could not commit: ${this.#adviceOn(cause)}${reason}`).toRecord();
    return commands.map(() => ({ ok: false, error }));
  }

  /** What whoever operates it can do. */
  #adviceOn(error: unknown): string {
    switch (sqliteCode(error)) {
      case 13: {
        const free = this.#freeBytes();
        const room = free === null ? '' : ` (${free} bytes are free)`;
        return `the disk is full${room}: make room where the data folder is, and the queue goes on by itself: `;
      }
      case 10:
        return 'the disk fails: look at the file system where the data folder is: ';
      default:
        return '';
    }
  }
}

// SQLite's result codes (https://www.sqlite.org/rescode.html) that speak of the database, not of one statement.
const databaseErrors: ReadonlySet<number> = new Set([5, 7, 8, 10, 11, 13, 14, 26]);

const endsTheGroup = (error: unknown): boolean => databaseErrors.has(sqliteCode(error));

/** The primary code of an error of SQLite; 0 for another one. */
const sqliteCode = (error: unknown): number => {
  if (error instanceof MvmError || !(error instanceof Error)) return 0;
  // The low byte is the primary code of an extended one.
  return 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : 0;
};

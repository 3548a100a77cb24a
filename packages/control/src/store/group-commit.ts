/**
 * Applies commands in groups, one transaction each.
 *
 * 1. Nothing is answered before the commit that holds it is synced (I2).
 * 2. A refused command leaves nothing behind and does not touch the others of its group: each has a savepoint.
 * 3. When the transaction can't be committed, every command of the group is refused with UNAVAILABLE, and the next group
 *    starts from what the database holds.
 */
import { asMvmError, mvmError, MvmError, type ErrorRecord } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { apply, type Applied } from '../machine/apply.ts';
import type { Command } from '../machine/command.ts';
import { openTables, type Tables } from '../machine/tables.ts';

/** What became of one command. */
export type CommandOutcome = ({ readonly ok: true } & Applied) | { readonly ok: false; readonly error: ErrorRecord };

/** See the head of this file. */
export class GroupCommit {
  readonly #db: DatabaseSync;
  readonly #tables: Tables;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #savepoint: StatementSync;
  readonly #release: StatementSync;

  /** `db` has the current schema and no open transaction. */
  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#tables = openTables(db);
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#savepoint = db.prepare('SAVEPOINT command');
    this.#release = db.prepare('RELEASE command');
  }

  /** One outcome per command, in order. Never throws. */
  run(commands: readonly Command[]): readonly CommandOutcome[] {
    try {
      this.#begin.run();
      const outcomes = commands.map((command) => this.#one(command));
      this.#tables.counters.save();
      this.#commit.run();
      return outcomes;
    } catch (error) {
      return this.#refuseAll(commands, error);
    }
  }

  #one(command: Command): CommandOutcome {
    const before = this.#tables.counters.snapshot();
    this.#savepoint.run();
    try {
      const applied = apply(this.#tables, command);
      this.#release.run();
      return { ok: true, ...applied };
    } catch (error) {
      if (endsTheGroup(error) || !this.#db.isTransaction) throw error;
      this.#db.exec('ROLLBACK TO command; RELEASE command');
      this.#tables.counters.restore(before);
      return { ok: false, error: asMvmError(error).toRecord() };
    }
  }

  #refuseAll(commands: readonly Command[], cause: unknown): readonly CommandOutcome[] {
    const reason = cause instanceof Error ? cause.message : String(cause);
    try {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      this.#tables.counters.reload(this.#db);
    } catch {
      // The database can't even be read: the next group finds out, and is refused as well.
    }
    const error = mvmError('UNAVAILABLE', `the store could not commit: ${reason}`).toRecord();
    return commands.map(() => ({ ok: false, error }));
  }
}

// SQLite's result codes (https://www.sqlite.org/rescode.html) that speak of the database, not of one statement.
const databaseErrors: ReadonlySet<number> = new Set([5, 7, 8, 10, 11, 13, 14, 26]);

const endsTheGroup = (error: unknown): boolean => {
  if (error instanceof MvmError || !(error instanceof Error)) return false;
  // The low byte is the primary code of an extended one.
  return 'errcode' in error && typeof error.errcode === 'number' && databaseErrors.has(error.errcode & 0xff);
};

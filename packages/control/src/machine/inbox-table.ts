import { inboxItemSchema, mvmError, type InboxItem } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { number, text, type Row } from './column.ts';

/** Items of a job above a number, in order; parameters: job number, the number, how many. */
export const inboxSql = 'SELECT number, at, body FROM inbox WHERE job = ? AND number > ? ORDER BY number LIMIT +?';

/** An item, from a row of `inbox`. @throws INTERNAL when it is none */
export const inboxItem = (row: Row): InboxItem => {
  const body: unknown = JSON.parse(text(row, 'body'));
  const item = inboxItemSchema.safeParse({ number: number(row, 'number'), at: number(row, 'at'), body });
  if (item.success) return item.data;
  throw mvmError('INTERNAL', `the database is damaged: an inbox holds something else: ${item.error.message}`);
};

/** The tables `inbox` and `messages`: what waits for jobs, and the ids of messages that were sent from outside. */
export class InboxTable {
  readonly #insert: StatementSync;
  readonly #has: StatementSync;
  readonly #hasMessage: StatementSync;
  readonly #delete: StatementSync;
  readonly #deleteOfAttempt: StatementSync;
  readonly #deleteAll: StatementSync;
  readonly #refused: StatementSync;
  readonly #findMessage: StatementSync;
  readonly #insertMessage: StatementSync;
  readonly #forgetMessages: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT INTO inbox VALUES (?, ?, ?, ?, ?, ?)');
    this.#has = db.prepare('SELECT 1 FROM inbox WHERE job = ? AND number = ?');
    this.#hasMessage = db.prepare(
      "SELECT 1 FROM inbox WHERE job = ? AND kind = 'message' AND body ->> 'messageType' = ? AND body ->> 'from' IS NULL",
    );
    this.#delete = db.prepare('DELETE FROM inbox WHERE job = ? AND number = ?');
    this.#deleteOfAttempt = db.prepare("DELETE FROM inbox WHERE job = ? AND kind <> 'message'");
    this.#deleteAll = db.prepare('DELETE FROM inbox WHERE job = ?');
    this.#refused = db.prepare(
      "SELECT number, at, body FROM inbox WHERE job = ? AND kind = 'refused' AND call BETWEEN ? AND ? ORDER BY number",
    );
    this.#findMessage = db.prepare('SELECT number FROM messages WHERE job = ? AND id = ?');
    this.#insertMessage = db.prepare('INSERT INTO messages VALUES (?, ?, ?)');
    this.#forgetMessages = db.prepare('DELETE FROM messages WHERE job = ?');
  }

  insert(job: number, item: InboxItem): void {
    const { body } = item;
    const call = body.type === 'refused' ? body.call : null;
    this.#insert.run(job, item.number, item.at, body.type, call, JSON.stringify(body));
  }

  has(job: number, item: number): boolean {
    return this.#has.get(job, item) !== undefined;
  }

  /** Whether a message of this type waits that no job sent. */
  hasMessage(job: number, messageType: string): boolean {
    return this.#hasMessage.get(job, messageType) !== undefined;
  }

  delete(job: number, item: number): void {
    this.#delete.run(job, item);
  }

  /** Deletes what belongs to an attempt that is over. @returns how many items */
  deleteOfAttempt(job: number): number {
    return Number(this.#deleteOfAttempt.run(job).changes);
  }

  /** Deletes all that waits for a job that is over. */
  deleteAll(job: number): void {
    this.#deleteAll.run(job);
    this.#forgetMessages.run(job);
  }

  /** What tells of refused calls with numbers from `first` to `last`. */
  refused(job: number, first: number, last: number): readonly InboxItem[] {
    return this.#refused.all(job, first, last).map(inboxItem);
  }

  /** The number that the message with this id got; undefined when there was none. */
  findMessage(job: number, id: string): number | undefined {
    const row = this.#findMessage.get(job, id);
    return row === undefined ? undefined : number(row, 'number');
  }

  rememberMessage(job: number, id: string, item: number): void {
    this.#insertMessage.run(job, id, item);
  }
}

/**
 * The file of a SQLite journal store: all its statements, and the chain of each attempt (docs/reference/journal.md). It
 * owns the one connection that there is; its thread owns the messages.
 *
 *   1. The requests of one list are carried out in order, in one transaction, and answered after it was committed and
 *      synced (I2). If it can't be, all of them failed and none left anything.
 *   2. A write counts only under its attempt's last epoch, and only until that hold has an outcome (I3).
 *   3. A hold by itself isn't worth a sync. A list without writes leaves the transaction open, and the next list goes on
 *      in it: so a hold is durable with the first entries that are written after it. Who loses it in a crash has written
 *      nothing under it.
 *   4. Nobody else has the file open: what is known of an attempt may be kept here.
 */
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { bytesEqual, chainHash, chainStart, joinByteStrings } from '@mvm-ci/protocol';
import { engineLimits } from '../limits.ts';
import type { JournalPiece, SqliteAnswer, SqliteRequest, SqliteWrite } from './sqlite-message.ts';

/** Of the tables below. A file with another one is not opened. */
const fileVersion = 2;

const schema = `
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS attempt (
  row INTEGER PRIMARY KEY, job TEXT NOT NULL, attempt INTEGER NOT NULL, epoch INTEGER NOT NULL, progress TEXT,
  outcome TEXT, UNIQUE (job, attempt)) STRICT;
CREATE TABLE IF NOT EXISTS batch (
  row INTEGER NOT NULL, first_seq INTEGER NOT NULL, count INTEGER NOT NULL, bytes BLOB NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (row, first_seq)) STRICT, WITHOUT ROWID;
PRAGMA user_version = ${fileVersion};
`;

/** An attempt as its next write finds it. */
interface Standing {
  readonly epoch: number;
  /** The hold has ended. */
  readonly isOver: boolean;
  nextSeq: number;
  hash: Uint8Array;
}

export class JournalFile {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  /** The attempts that were written to last (4). */
  readonly #standings = new Map<number, Standing>();
  #isInTransaction = false;

  /** Opens or makes the file at `path`. @throws {Error} when another process has it open, or it is of another version */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    assertVersion(this.#database);
    this.#database.exec(schema);
    this.#statements = prepareStatements(this.#database);
  }

  /** Carries out one list of requests (1). */
  answer(requests: readonly SqliteRequest[]): readonly SqliteAnswer[] {
    try {
      this.#begin();
      const answers = requests.map((request) => this.#answer(request));
      if (requests.some(({ type }) => type === 'write' || type === 'close')) this.#commit();
      if (requests.some(({ type }) => type === 'close')) this.#database.close();
      return answers;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#rollback();
      return requests.map(() => ({ type: 'failed', message }));
    }
  }

  #begin(): void {
    if (this.#isInTransaction) return;
    this.#database.exec('BEGIN IMMEDIATE');
    this.#isInTransaction = true;
  }

  #commit(): void {
    this.#database.exec('COMMIT');
    this.#isInTransaction = false;
  }

  #rollback(): void {
    this.#standings.clear();
    // SQLite itself rolls back after some errors.
    if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec('ROLLBACK');
    this.#isInTransaction = false;
  }

  #answer(request: SqliteRequest): SqliteAnswer {
    switch (request.type) {
      case 'hold':
        return this.#hold(request.job, request.attempt);
      case 'read':
        return this.#piece(request.row, request.from, (piece) => ({ type: 'piece', piece }));
      case 'write':
        return { type: 'written', accepted: this.#write(request) };
      case 'close':
        return { type: 'closed' };
    }
  }

  #hold(job: string, attempt: number): SqliteAnswer {
    const held = this.#statements.hold.get(job, attempt);
    const [row, epoch] = [wholeNumber(held?.['row']), wholeNumber(held?.['epoch'])];
    this.#standings.delete(row);
    if (epoch === 1) return this.#fresh(row, { job, attempt });
    return this.#piece(row, 0, (piece) => ({ type: 'held', row, epoch, piece }));
  }

  /** Nobody has held it before: there is nothing to read. */
  #fresh(row: number, { job, attempt }: { readonly job: string; readonly attempt: number }): SqliteAnswer {
    this.#keep(row, { epoch: 1, isOver: false, nextSeq: 0, hash: chainStart(job, attempt) });
    return { type: 'held', row, epoch: 1, piece: { count: 0, bytes: new Uint8Array(0), next: null } };
  }

  #write({ row, epoch, count, bytes, progress, outcome }: SqliteWrite): boolean {
    const standing = this.#standing(row);
    if (!standing || standing.isOver || standing.epoch !== epoch) return false;
    if (count > 0) {
      const batch = { firstSeq: standing.nextSeq, count, bytes };
      const hash = chainHash(standing.hash, batch);
      this.#statements.insert.run(row, batch.firstSeq, count, bytes, hash);
      standing.nextSeq += count;
      standing.hash = hash;
    }
    if (progress !== undefined || outcome !== undefined) this.#statements.note.run(text(progress), text(outcome), row);
    if (outcome !== undefined) this.#standings.delete(row);
    return true;
  }

  #standing(row: number): Standing | undefined {
    const known = this.#standings.get(row);
    if (known) return known;
    const stored = this.#statements.attempt.get(row);
    if (!stored) return undefined;
    const isOver = stored['outcome'] !== null;
    const position = this.#position(row, Number.MAX_SAFE_INTEGER);
    const standing = { epoch: wholeNumber(stored['epoch']), isOver, ...position };
    this.#keep(row, standing);
    return standing;
  }

  #keep(row: number, standing: Standing): void {
    this.#standings.set(row, standing);
    for (const oldest of this.#standings.keys()) {
      if (this.#standings.size <= engineLimits.journalStandingsMax) break;
      this.#standings.delete(oldest);
    }
  }

  /** Where the batches before entry `from` end. */
  #position(row: number, from: number): { readonly nextSeq: number; readonly hash: Uint8Array } {
    const last = this.#statements.lastBatch.get(row, from);
    if (last) {
      return { nextSeq: wholeNumber(last['firstSeq']) + wholeNumber(last['count']), hash: byteString(last['hash']) };
    }
    const attempt = this.#statements.attempt.get(row);
    return { nextSeq: 0, hash: chainStart(String(attempt?.['job']), Number(attempt?.['attempt'])) };
  }

  /** The journal from entry `from` on, as much as makes one piece, its chain checked. */
  #piece(row: number, from: number, wrap: (piece: JournalPiece) => SqliteAnswer): SqliteAnswer {
    const parts: Uint8Array[] = [];
    let bytesLeft: number = engineLimits.journalPieceBytes;
    let { nextSeq, hash } = this.#position(row, from);
    for (const stored of this.#statements.read.iterate(row, nextSeq)) {
      if (bytesLeft <= 0) return wrap({ count: nextSeq - from, bytes: joinByteStrings(parts), next: nextSeq });
      const [firstSeq, count] = [wholeNumber(stored['firstSeq']), wholeNumber(stored['count'])];
      const [bytes, stated] = [byteString(stored['bytes']), byteString(stored['hash'])];
      const linked = chainHash(hash, { firstSeq, count, bytes });
      if (firstSeq !== nextSeq || !bytesEqual(linked, stated)) return corrupt(firstSeq, nextSeq);
      parts.push(bytes);
      bytesLeft -= bytes.length;
      nextSeq += count;
      hash = linked;
    }
    return wrap({ count: nextSeq - from, bytes: joinByteStrings(parts), next: null });
  }
}

interface Statements {
  readonly hold: StatementSync;
  readonly attempt: StatementSync;
  readonly note: StatementSync;
  readonly insert: StatementSync;
  readonly lastBatch: StatementSync;
  readonly read: StatementSync;
}

const prepareStatements = (database: DatabaseSync): Statements => ({
  hold: database.prepare(
    `INSERT INTO attempt (job, attempt, epoch) VALUES (?, ?, 1)
     ON CONFLICT DO UPDATE SET epoch = epoch + 1, outcome = NULL RETURNING row, epoch`,
  ),
  attempt: database.prepare('SELECT job, attempt, epoch, outcome FROM attempt WHERE row = ?'),
  note: database.prepare('UPDATE attempt SET progress = coalesce(?, progress), outcome = ? WHERE row = ?'),
  insert: database.prepare('INSERT INTO batch VALUES (?, ?, ?, ?, ?)'),
  lastBatch: database.prepare(
    `SELECT first_seq AS firstSeq, count, hash FROM batch WHERE row = ? AND first_seq < ?
     ORDER BY first_seq DESC LIMIT 1`,
  ),
  read: database.prepare(
    `SELECT first_seq AS firstSeq, count, bytes, hash FROM batch WHERE row = ? AND first_seq >= ? ORDER BY first_seq`,
  ),
});

const assertVersion = (database: DatabaseSync): void => {
  const tables = database.prepare("SELECT count(*) AS count FROM sqlite_schema WHERE name = 'attempt'").get();
  const version = database.prepare('PRAGMA user_version').get();
  if (tables?.['count'] === 0 || version?.['user_version'] === fileVersion) return;
  throw new Error(`a journal file of version ${fileVersion} was expected, not ${String(version?.['user_version'])}`);
};

const text = (value: object | undefined): SQLInputValue => (value === undefined ? null : JSON.stringify(value));

const corrupt = (firstSeq: number, expected: number): SqliteAnswer => ({
  type: 'corrupt',
  firstSeq,
  message: `the journal batch at entry ${firstSeq} is damaged: it doesn't follow from entry ${expected - 1}`,
});

const byteString = (value: SQLOutputValue | undefined): Uint8Array => {
  if (value instanceof Uint8Array) return value;
  throw new Error('the journal file holds something else where a byte string is due');
};

const wholeNumber = (value: SQLOutputValue | undefined): number => {
  if (typeof value === 'number') return value;
  throw new Error('the journal file holds something else where a number is due');
};

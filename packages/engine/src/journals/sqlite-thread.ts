/** The thread of a SQLite journal store: one connection, one transaction per message, answered after the commit (I2). */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';
import type { SqliteAnswer, SqliteRequest, SqliteWrite } from './sqlite-message.ts';

const schema = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS attempt (
  job TEXT NOT NULL, attempt INTEGER NOT NULL, epoch INTEGER NOT NULL, progress TEXT, outcome TEXT,
  PRIMARY KEY (job, attempt)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch (
  job TEXT NOT NULL, attempt INTEGER NOT NULL, first_seq INTEGER NOT NULL, count INTEGER NOT NULL,
  bytes BLOB NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY (job, attempt, first_seq)) STRICT;
`;

const epochSchema = z.object({ epoch: z.number() });
const batchesSchema = z.array(
  z.object({
    firstSeq: z.number(),
    count: z.number(),
    bytes: z.instanceof(Uint8Array),
    hash: z.instanceof(Uint8Array),
  }),
);

class JournalFile {
  readonly #database: DatabaseSync;
  readonly #hold: StatementSync;
  readonly #accept: StatementSync;
  readonly #insert: StatementSync;
  readonly #read: StatementSync;

  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec(schema);
    this.#hold = this.#database.prepare(
      `INSERT INTO attempt (job, attempt, epoch) VALUES (?, ?, 1)
       ON CONFLICT DO UPDATE SET epoch = epoch + 1, outcome = NULL RETURNING epoch`,
    );
    // A finished hold has an outcome: whoever writes after it is as stale as an older holder.
    this.#accept = this.#database.prepare(
      `UPDATE attempt SET progress = coalesce(?, progress), outcome = ?
       WHERE job = ? AND attempt = ? AND epoch = ? AND outcome IS NULL`,
    );
    this.#insert = this.#database.prepare('INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?)');
    this.#read = this.#database.prepare(
      'SELECT first_seq AS firstSeq, count, bytes, hash FROM batch WHERE job = ? AND attempt = ? ORDER BY first_seq',
    );
  }

  answer(request: SqliteRequest): SqliteAnswer {
    const { id } = request;
    switch (request.type) {
      case 'hold': {
        const { job, attempt } = request;
        const { epoch } = epochSchema.parse(this.#hold.get(job, attempt));
        return { type: 'held', id, epoch, batches: batchesSchema.parse(this.#read.all(job, attempt)) };
      }
      case 'write':
        return {
          type: 'written',
          id,
          accepted: this.#transaction(() => request.writes.map((write) => this.#write(write))),
        };
      case 'close':
        this.#database.close();
        return { type: 'closed', id };
    }
  }

  #write({ job, attempt, epoch, batch, progress, outcome }: SqliteWrite): boolean {
    const texts = [progress, outcome].map((value) => (value === undefined ? null : JSON.stringify(value)));
    const { changes } = this.#accept.run(texts[0] ?? null, texts[1] ?? null, job, attempt, epoch);
    if (changes === 0) return false;
    if (batch) this.#insert.run(job, attempt, batch.firstSeq, batch.count, batch.bytes, batch.hash);
    return true;
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }
}

const port = parentPort;
const path: unknown = workerData;
if (!port || typeof path !== 'string') throw new Error("this file is the entry point of a journal store's thread");
const file = new JournalFile(path);

port.on('message', (request: SqliteRequest) => {
  try {
    port.postMessage(file.answer(request));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ type: 'failed', id: request.id, message } satisfies SqliteAnswer);
  }
  if (request.type === 'close') port.close();
});

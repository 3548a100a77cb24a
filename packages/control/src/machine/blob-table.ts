/** The tables `blobs` (what is kept) and `blob_refs` (which jobs refer to it; `JobTable.forget` removes a job's). */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { number, text } from './column.ts';

/** The length of a blob; null when it is not kept. */
export const readBlobBytes = (prepared: (sql: string) => StatementSync, hash: string): number | null => {
  const row = prepared('SELECT bytes FROM blobs WHERE hash = ?').get(hash);
  return row === undefined ? null : number(row, 'bytes');
};

const looseSql = `
  SELECT hash FROM blobs WHERE kept_at < ? AND NOT EXISTS (SELECT 1 FROM blob_refs WHERE blob_refs.hash = blobs.hash)
  ORDER BY kept_at, hash LIMIT +?`;

/** See the head of this file. */
export class BlobTable {
  readonly #bytes: StatementSync;
  readonly #keep: StatementSync;
  readonly #refer: StatementSync;
  readonly #references: StatementSync;
  readonly #loose: StatementSync;
  readonly #drop: StatementSync;

  constructor(db: DatabaseSync) {
    this.#bytes = db.prepare('SELECT bytes FROM blobs WHERE hash = ?');
    this.#keep = db.prepare(
      'INSERT INTO blobs VALUES (?, ?, ?) ON CONFLICT (hash) DO UPDATE SET kept_at = max(kept_at, excluded.kept_at)',
    );
    this.#refer = db.prepare('INSERT INTO blob_refs VALUES (?, ?) ON CONFLICT DO NOTHING');
    this.#references = db.prepare('SELECT count(*) AS count FROM blob_refs WHERE job = ?');
    this.#loose = db.prepare(looseSql);
    this.#drop = db.prepare('DELETE FROM blobs WHERE hash = ?');
  }

  /** Its length; undefined when it is not kept. */
  bytes(hash: string): number | undefined {
    const row = this.#bytes.get(hash);
    return row === undefined ? undefined : number(row, 'bytes');
  }

  keep(hash: string, bytes: number, at: number): void {
    this.#keep.run(hash, bytes, at);
  }

  /** The job refers to the blob from now on. @returns how many it refers to */
  refer(job: number, hash: string): number {
    this.#refer.run(job, hash);
    const row = this.#references.get(job);
    return row === undefined ? 0 : number(row, 'count');
  }

  /** Forgets up to `limit` blobs that were kept before `before` and that no job refers to. @returns their hashes */
  dropLoose(before: number, limit: number): readonly string[] {
    const hashes = this.#loose.all(before, limit).map((row) => text(row, 'hash'));
    for (const hash of hashes) this.#drop.run(hash);
    return hashes;
  }
}

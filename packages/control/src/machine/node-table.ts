import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { bytes, number, text, type Row } from './column.ts';

/** A node that was let in. Times are Unix ms. */
export interface NodeRecord {
  readonly node: string;
  readonly name: string;
  readonly joinedAt: number;
  readonly seenAt: number;
}

/** A node, from a row of `nodes`. */
export const nodeRecord = (row: Row): NodeRecord => ({
  node: text(row, 'node'),
  name: text(row, 'name'),
  joinedAt: number(row, 'joined_at'),
  seenAt: number(row, 'seen_at'),
});

/** The tables `nodes`, `tokens` (hashes only) and `facts` (the cluster's name). */
export class NodeTable {
  readonly #find: StatementSync;
  readonly #count: StatementSync;
  readonly #insert: StatementSync;
  readonly #rename: StatementSync;
  readonly #touch: StatementSync;
  readonly #tokens: StatementSync;
  readonly #insertToken: StatementSync;
  readonly #fact: StatementSync;
  readonly #insertFact: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare('SELECT * FROM nodes WHERE node = ?');
    this.#count = db.prepare('SELECT count(*) AS nodes FROM nodes');
    this.#insert = db.prepare('INSERT INTO nodes VALUES (?, ?, ?, ?)');
    this.#rename = db.prepare('UPDATE nodes SET name = ?, seen_at = max(seen_at, ?) WHERE node = ?');
    this.#touch = db.prepare('UPDATE nodes SET seen_at = max(seen_at, ?) WHERE node = ?');
    this.#tokens = db.prepare('SELECT hash FROM tokens');
    this.#insertToken = db.prepare('INSERT INTO tokens VALUES (?, ?) ON CONFLICT DO NOTHING');
    this.#fact = db.prepare('SELECT value FROM facts WHERE name = ?');
    this.#insertFact = db.prepare('INSERT INTO facts VALUES (?, ?)');
  }

  find(node: string): NodeRecord | undefined {
    const row = this.#find.get(node);
    return row === undefined ? undefined : nodeRecord(row);
  }

  count(): number {
    const row = this.#count.get();
    return row === undefined ? 0 : number(row, 'nodes');
  }

  insert(node: NodeRecord): void {
    this.#insert.run(node.node, node.name, node.joinedAt, node.seenAt);
  }

  rename(node: string, name: string, seenAt: number): void {
    this.#rename.run(name, seenAt, node);
  }

  touch(node: string, seenAt: number): void {
    this.#touch.run(seenAt, node);
  }

  tokenHashes(): readonly Uint8Array[] {
    return this.#tokens.all().map((row) => bytes(row, 'hash'));
  }

  insertToken(hash: Uint8Array, at: number): void {
    this.#insertToken.run(hash, at);
  }

  fact(name: string): string | undefined {
    const row = this.#fact.get(name);
    return row === undefined ? undefined : text(row, 'value');
  }

  insertFact(name: string, value: string): void {
    this.#insertFact.run(name, value);
  }
}

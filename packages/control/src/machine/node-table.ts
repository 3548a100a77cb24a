import { mvmError, type NodeRole } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { number, numberOrNull, text, textOrNull, type Row } from './column.ts';
import { roleOf, tagsOf, tagsText } from './ticket-table.ts';

/** A node that was let in. Times are Unix ms. */
export interface NodeRecord {
  readonly node: string;
  readonly name: string;
  readonly role: NodeRole;
  readonly tags: readonly string[];
  /** Id of the ticket that it joined by first; null for one that joined before tickets had ids. */
  readonly ticket: string | null;
  readonly joinedAt: number;
  readonly seenAt: number;
  readonly bannedAt: number | null;
  /** '' when the operator gave none. */
  readonly banReason: string | null;
}

/** A node that is not there yet. */
export type NewNode = Pick<NodeRecord, 'node' | 'name' | 'role' | 'tags' | 'ticket' | 'joinedAt'>;

/** A node, from a row of `nodes`. */
export const nodeRecord = (row: Row): NodeRecord => ({
  node: text(row, 'node'),
  name: text(row, 'name'),
  role: roleOf(row),
  tags: tagsOf(row),
  ticket: textOrNull(row, 'ticket'),
  joinedAt: number(row, 'joined_at'),
  seenAt: number(row, 'seen_at'),
  bannedAt: numberOrNull(row, 'banned_at'),
  banReason: textOrNull(row, 'ban_reason'),
});

const insertSql = `
  INSERT INTO nodes (node, name, joined_at, seen_at, role, tags, ticket) VALUES (?, ?, ?, ?, ?, ?, ?)`;

// A name that the operator gave stays.
const sightSql = `
  UPDATE nodes SET name = CASE renamed WHEN 1 THEN name ELSE ? END, seen_at = max(seen_at, ?) WHERE node = ?`;

/** The tables `nodes` and `facts` (the cluster's name). */
export class NodeTable {
  readonly #find: StatementSync;
  readonly #findBanned: StatementSync;
  readonly #count: StatementSync;
  readonly #insert: StatementSync;
  readonly #sight: StatementSync;
  readonly #rename: StatementSync;
  readonly #ban: StatementSync;
  readonly #touch: StatementSync;
  readonly #fact: StatementSync;
  readonly #insertFact: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare('SELECT * FROM nodes WHERE node = ?');
    this.#findBanned = db.prepare('SELECT * FROM nodes WHERE node = ? AND banned_at IS NOT NULL');
    this.#count = db.prepare('SELECT count(*) AS nodes FROM nodes');
    this.#insert = db.prepare(insertSql);
    this.#sight = db.prepare(sightSql);
    this.#rename = db.prepare('UPDATE nodes SET name = ?, renamed = 1 WHERE node = ?');
    this.#ban = db.prepare('UPDATE nodes SET banned_at = ?, ban_reason = ? WHERE node = ?');
    this.#touch = db.prepare('UPDATE nodes SET seen_at = max(seen_at, ?) WHERE node = ?');
    this.#fact = db.prepare('SELECT value FROM facts WHERE name = ?');
    this.#insertFact = db.prepare('INSERT INTO facts VALUES (?, ?)');
  }

  find(node: string): NodeRecord | undefined {
    const row = this.#find.get(node);
    return row === undefined ? undefined : nodeRecord(row);
  }

  /** @throws NODE_NOT_FOUND */
  get(node: string): NodeRecord {
    const found = this.find(node);
    if (found === undefined) throw mvmError('NODE_NOT_FOUND', `no node has the id "${node}"`, { node });
    return found;
  }

  findBanned(node: string): NodeRecord | undefined {
    const row = this.#findBanned.get(node);
    return row === undefined ? undefined : nodeRecord(row);
  }

  count(): number {
    const row = this.#count.get();
    return row === undefined ? 0 : number(row, 'nodes');
  }

  insert({ node, name, joinedAt, role, tags, ticket }: NewNode): void {
    this.#insert.run(node, name, joinedAt, joinedAt, role, tagsText(tags), ticket);
  }

  /** The node came again, under the name that it calls itself. */
  sight(node: string, name: string, at: number): void {
    this.#sight.run(name, at, node);
  }

  /** The operator's name for it. */
  rename(node: string, name: string): void {
    this.#rename.run(name, node);
  }

  ban(node: string, at: number, reason: string): void {
    this.#ban.run(at, reason, node);
  }

  allow(node: string): void {
    this.#ban.run(null, null, node);
  }

  touch(node: string, seenAt: number): void {
    this.#touch.run(seenAt, node);
  }

  fact(name: string): string | undefined {
    const row = this.#fact.get(name);
    return row === undefined ? undefined : text(row, 'value');
  }

  insertFact(name: string, value: string): void {
    this.#insertFact.run(name, value);
  }
}

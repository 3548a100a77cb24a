import { mvmError, nodeRoles, type NodeRole } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { number, numberOrNull, text, textOrNull, type Row } from './column.ts';

/** A ticket, without its token, which nobody keeps. Times are Unix ms. */
export interface TicketRecord {
  readonly id: string;
  readonly name: string | null;
  readonly role: NodeRole;
  readonly tags: readonly string[];
  readonly uses: number;
  readonly usesMax: number | null;
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly revokedAt: number | null;
}

/** A ticket that is not there yet. */
export type NewTicket = Omit<TicketRecord, 'uses' | 'revokedAt'> & { readonly hash: Uint8Array };

/** A ticket, from a row of `tickets`. */
export const ticketRecord = (row: Row): TicketRecord => ({
  id: text(row, 'id'),
  name: textOrNull(row, 'name'),
  role: roleOf(row),
  tags: tagsOf(row),
  uses: number(row, 'uses'),
  usesMax: numberOrNull(row, 'uses_max'),
  createdAt: number(row, 'created_at'),
  expiresAt: numberOrNull(row, 'expires_at'),
  revokedAt: numberOrNull(row, 'revoked_at'),
});

/** The role in the column `role`. @throws INTERNAL when it is none */
export const roleOf = (row: Row): NodeRole => {
  const stored = text(row, 'role');
  const role = nodeRoles.find((one) => one === stored);
  if (role === undefined) throw mvmError('INTERNAL', `the database is damaged: "${stored}" is no role`);
  return role;
};

/** The tags in the column `tags`, which are stored separated by spaces. */
export const tagsOf = (row: Row): readonly string[] => text(row, 'tags').split(' ').filter(Boolean);

/** Tags as they are stored: no tag has a space. */
export const tagsText = (tags: readonly string[]): string => tags.join(' ');

/** The table `tickets`. A token is found by its SHA-256: comparing hashes of random tokens tells a guesser nothing. */
export class TicketTable {
  readonly #find: StatementSync;
  readonly #findByHash: StatementSync;
  readonly #count: StatementSync;
  readonly #insert: StatementSync;
  readonly #countUse: StatementSync;
  readonly #revoke: StatementSync;
  readonly #removeDead: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare('SELECT * FROM tickets WHERE id = ?');
    this.#findByHash = db.prepare('SELECT * FROM tickets WHERE hash = ?');
    this.#count = db.prepare('SELECT count(*) AS tickets FROM tickets');
    this.#insert = db.prepare('INSERT INTO tickets VALUES (?, ?, ?, ?, ?, 0, ?, ?, ?, NULL)');
    this.#countUse = db.prepare('UPDATE tickets SET uses = uses + 1 WHERE id = ?');
    this.#revoke = db.prepare('UPDATE tickets SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?');
    this.#removeDead = db.prepare(
      'DELETE FROM tickets WHERE revoked_at IS NOT NULL OR expires_at <= ? OR uses >= uses_max',
    );
  }

  /** @throws TICKET_NOT_FOUND */
  get(id: string): TicketRecord {
    const row = this.#find.get(id);
    if (row === undefined) throw mvmError('TICKET_NOT_FOUND', `no ticket has the id "${id}"`, { ticket: id });
    return ticketRecord(row);
  }

  findByHash(hash: Uint8Array): TicketRecord | undefined {
    const row = this.#findByHash.get(hash);
    return row === undefined ? undefined : ticketRecord(row);
  }

  count(): number {
    const row = this.#count.get();
    return row === undefined ? 0 : number(row, 'tickets');
  }

  insert({ id, hash, name, role, tags, usesMax, createdAt, expiresAt }: NewTicket): void {
    this.#insert.run(id, hash, name, role, tagsText(tags), usesMax, createdAt, expiresAt);
  }

  countUse(id: string): void {
    this.#countUse.run(id);
  }

  revoke(id: string, at: number): void {
    this.#revoke.run(at, id);
  }

  /** Forgets the tickets that let nobody in at `at`. */
  removeDead(at: number): void {
    this.#removeDead.run(at);
  }
}

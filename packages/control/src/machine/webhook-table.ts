import { mvmError } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { number, text, textOrNull, type Row } from './column.ts';

/** A webhook as it is stored. */
export interface WebhookRecord {
  readonly name: string;
  /** `WebhookSpec`, JSON text. */
  readonly spec: string;
  /** The change up to which it was told. */
  readonly change: number;
  readonly dropped: number;
  readonly error: string | null;
}

/** A webhook, from a row of `webhooks`. */
export const webhookRecord = (row: Row): WebhookRecord => ({
  name: text(row, 'name'),
  spec: text(row, 'spec'),
  change: number(row, 'change'),
  dropped: number(row, 'dropped'),
  error: textOrNull(row, 'error'),
});

/** The table `webhooks`. */
export class WebhookTable {
  readonly #find: StatementSync;
  readonly #count: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare('SELECT * FROM webhooks WHERE name = ?');
    this.#count = db.prepare('SELECT count(*) AS count FROM webhooks');
    this.#put = db.prepare('INSERT OR REPLACE INTO webhooks VALUES (?, ?, ?, ?, ?)');
    this.#delete = db.prepare('DELETE FROM webhooks WHERE name = ?');
  }

  find(name: string): WebhookRecord | undefined {
    const row = this.#find.get(name);
    return row === undefined ? undefined : webhookRecord(row);
  }

  /** @throws WEBHOOK_NOT_FOUND */
  get(name: string): WebhookRecord {
    const found = this.find(name);
    if (found !== undefined) return found;
    throw mvmError('WEBHOOK_NOT_FOUND', `no webhook has the name "${name}"`, { webhook: name });
  }

  count(): number {
    const row = this.#count.get();
    return row === undefined ? 0 : number(row, 'count');
  }

  put(record: WebhookRecord): WebhookRecord {
    const { name, spec, change, dropped, error } = record;
    this.#put.run(name, spec, change, dropped, error);
    return record;
  }

  delete(name: string): void {
    this.#delete.run(name);
  }
}

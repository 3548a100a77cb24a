/**
 * What is set for queues, and the use of their rates (tables `queues` and `rates`). Kept in memory, since every claim asks;
 * what a command changes is written at once, so that undoing it is reading it again.
 */
import { limitsOfKey, queueSettingsSchema, type KeyLimits, type QueueMode, type QueueSettings } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { number, text } from './column.ts';
import { controlLimits } from '../limits.ts';
import { isSpent, rateOpensAt, rateRoom, rateUsed, type RateLog } from './rate-log.ts';

/** Whose limits are meant: a queue's own, or those of one key of it. */
export interface LimitScope {
  readonly queue: string;
  readonly key: string | null;
}

const unset: QueueSettings = {};

/** See the head of this file. */
export class QueueTable {
  readonly #db: DatabaseSync;
  readonly #write: StatementSync;
  readonly #writeRate: StatementSync;
  readonly #forgetRate: StatementSync;
  #settings: ReadonlyMap<string, QueueSettings> = new Map();
  #rates: Map<string, RateLog> = new Map();
  #isTouched = false;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#write = db.prepare(
      'INSERT INTO queues VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET settings = excluded.settings',
    );
    this.#writeRate = db.prepare(
      'INSERT INTO rates VALUES (?, ?, ?, ?) ON CONFLICT (queue, key, slot) DO UPDATE SET count = excluded.count',
    );
    this.#forgetRate = db.prepare('DELETE FROM rates WHERE queue = ? AND key = ?');
    this.reload();
  }

  settings(queue: string): QueueSettings {
    return this.#settings.get(queue) ?? unset;
  }

  mode(queue: string): QueueMode {
    return this.settings(queue).mode ?? 'open';
  }

  /** Whether anything is set for the queue at all. */
  isPlain(queue: string): boolean {
    return !this.#settings.has(queue);
  }

  names(): readonly string[] {
    return [...this.#settings.keys()];
  }

  limits({ queue, key }: LimitScope): KeyLimits {
    const settings = this.settings(queue);
    if (key === null) return settings;
    return limitsOfKey(settings, key);
  }

  set(queue: string, settings: QueueSettings): void {
    this.#isTouched = true;
    this.#settings = new Map([...this.#settings, [queue, settings]]);
    this.#write.run(queue, JSON.stringify(settings));
  }

  /** How many claims the rate of a scope allows at `at`; infinity without a rate. */
  rateRoom(scope: LimitScope, at: number): number {
    const { rate } = this.limits(scope);
    return rate === undefined ? Infinity : rateRoom(this.#log(scope), rate, at);
  }

  /** When its rate allows a claim. */
  rateOpensAt(scope: LimitScope, at: number): number {
    const { rate } = this.limits(scope);
    return rate === undefined ? at : rateOpensAt(this.#log(scope), rate, at);
  }

  /** Counts claims. */
  use(scope: LimitScope, use: { readonly at: number; readonly count: number }): void {
    const { rate } = this.limits(scope);
    if (rate === undefined) return;
    this.#isTouched = true;
    if (!this.#rates.has(scopeName(scope)) && this.#rates.size % controlLimits.ratesSwept === 0)
      this.#forgetSpent(use.at);
    const before = this.#log(scope);
    const log = rateUsed(before, rate, use);
    this.#rates.set(scopeName(scope), log);
    this.#store(scope, before, log);
  }

  /** A command begins. */
  begin(): void {
    this.#isTouched = false;
  }

  /** The command was refused, and its writes are undone. */
  undo(): void {
    if (this.#isTouched) this.reload();
  }

  /** Reads what the database holds. */
  reload(): void {
    this.#settings = new Map(
      this.#db
        .prepare('SELECT name, settings FROM queues ORDER BY name')
        .all()
        .map((row) => [text(row, 'name'), queueSettingsSchema.parse(JSON.parse(text(row, 'settings')))]),
    );
    this.#rates = new Map();
    for (const row of this.#db.prepare('SELECT queue, key, slot, count FROM rates ORDER BY queue, key, slot').all()) {
      const name = `${text(row, 'queue')}\n${text(row, 'key')}`;
      this.#rates.set(name, [...(this.#rates.get(name) ?? []), [number(row, 'slot'), number(row, 'count')]]);
    }
  }

  /** A key that never comes again would be kept for ever. When it is done depends on what is stored alone (I1). */
  #forgetSpent(at: number): void {
    for (const [name, log] of this.#rates) {
      const [queue = '', key = ''] = splitName(name);
      const { rate } = this.limits({ queue, key: key === '' ? null : key });
      if (rate !== undefined && !isSpent(log, rate, at)) continue;
      this.#rates.delete(name);
      this.#forgetRate.run(queue, key);
    }
  }

  #log(scope: LimitScope): RateLog {
    return this.#rates.get(scopeName(scope)) ?? [];
  }

  // The newest slot is the only one that can change; those that are out of the period go.
  #store(scope: LimitScope, before: RateLog, after: RateLog): void {
    const [queue, key] = [scope.queue, keyColumn(scope)];
    const newest = after.at(-1);
    const oldest = after[0];
    if (newest !== undefined) this.#writeRate.run(queue, key, newest[0], newest[1]);
    if (oldest !== undefined && before[0] !== undefined && before[0][0] < oldest[0])
      this.#db.prepare('DELETE FROM rates WHERE queue = ? AND key = ? AND slot < ?').run(queue, key, oldest[0]);
  }
}

// A key is never empty, so the queue itself can have this place.
const keyColumn = ({ key }: LimitScope): string => key ?? '';
const scopeName = (scope: LimitScope): string => `${scope.queue}\n${keyColumn(scope)}`;
// A queue's name has no line break; a key may have.
const splitName = (name: string): readonly string[] => {
  const end = name.indexOf('\n');
  return [name.slice(0, end), name.slice(end + 1)];
};

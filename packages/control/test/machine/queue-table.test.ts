import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { controlLimits } from '../../src/limits.ts';
import { QueueTable } from '../../src/machine/queue-table.ts';
import { migrate } from '../../src/store/migration.ts';

test('forgets the rates of keys of which no use counts any more, and of no others', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db);
  const queues = new QueueTable(db);
  queues.set('q', { each_key: { rate: { count: 2, per_ms: 1_000 } } });
  const rows = (): number => Number(db.prepare('SELECT count(*) AS rows FROM rates').get()?.['rows']);
  const use = (key: string, at: number): void => queues.use({ queue: 'q', key }, { at, count: 2 });
  for (let key = 0; key < controlLimits.ratesSwept - 1; key += 1) use(`old ${key}`, 0);
  use('late\nkey', 1_500);
  assert.equal(rows(), controlLimits.ratesSwept);
  use('new', 2_000);
  assert.equal(rows(), 2);
  for (const table of [queues, new QueueTable(db)]) {
    assert.equal(table.rateRoom({ queue: 'q', key: 'late\nkey' }, 2_000), 0);
    assert.equal(table.rateRoom({ queue: 'q', key: 'old 1' }, 2_000), 2);
  }
});

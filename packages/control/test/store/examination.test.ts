import { headSeal, snapshotSeal } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { openForReading } from '../../src/store/database.ts';
import { examine } from '../../src/store/examination.ts';
import { migrate, migrations } from '../../src/store/migration.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';
import { oldDatabase, oldJobs } from './old-database.ts';

const sound = (): DatabaseSync => {
  const db = oldDatabase(migrations.length);
  migrate(db);
  return db;
};

/** What is done to a sound database, which job it is about, and what is found. */
const damages: readonly (readonly [what: string, sql: string, job: string | null, found: RegExp])[] = [
  ['an input', `UPDATE content SET input = '{}' WHERE number = 1`, 'payload', /input does not match/],
  ['attempts', 'UPDATE content SET attempts_max = 9 WHERE number = 1', 'payload', /input does not match/],
  ['a result', `UPDATE jobs SET result = '"lost"' WHERE id = 'completed'`, 'completed', /result does not match/],
  ['a state', `UPDATE jobs SET state = 'rUnning' WHERE id = 'running'`, 'running', /can't be read: .*state "rUnning"/],
  ['a type', `UPDATE jobs SET epoch = 'x' WHERE id = 'failed'`, 'failed', /can't be read: .*column "epoch"/],
  ['a count of jobs', `UPDATE counters SET value = 7 WHERE name = 'failed'`, null, /counter says 7/],
  ['a lost holder', `UPDATE jobs SET worker = NULL WHERE id = 'running'`, 'running', /held, and by nobody/],
  ['an inbox', 'DELETE FROM inbox', 'running', /number of items in its inbox/],
  ['lost content', 'DELETE FROM content WHERE number = 1', 'payload', /has no content/],
  ['a lost job', `DELETE FROM jobs WHERE id = 'failed'`, null, /rows of the table "journal" belong to no job/],
  ['an entry', `UPDATE journal SET bytes = x'00' WHERE job = 3 AND first_seq = 1`, 'completed', /hash does not match/],
  ['a lost batch', 'DELETE FROM journal WHERE job = 3 AND first_seq = 1', 'completed', /entry 1 was expected/],
  ['a lost last batch', 'DELETE FROM journal WHERE job = 3 AND first_seq = 2', 'completed', /should have 3/],
  [
    'a journal hash',
    `UPDATE jobs SET journal_hash = x'00' WHERE number = 3`,
    'completed',
    /not the one that its job's row/,
  ],
  ['a journal size', 'UPDATE jobs SET journal_bytes = 1 WHERE number = 2', 'running', /not the one that its job's row/],
  ['a later attempt', 'UPDATE journal SET attempt = 5 WHERE job = 4', 'failed', /attempt that never was/],
  ['a module', `UPDATE modules SET file = x'00'`, null, /module .* does not match its hash/],
  ['a lost module', 'DELETE FROM modules', 'running', /module that is not there/],
  [
    'a snapshot',
    `INSERT INTO snapshots SELECT job, attempt, 1, 'quickjs', '', x'00', x'00', NULL, NULL FROM journal WHERE job = 3 LIMIT 1`,
    'completed',
    /snapshot of attempt \d+ does not match its seal/,
  ],
  ['a lost blob', `INSERT INTO blob_refs VALUES (2, 'ab')`, 'running', /refers to a blob that is not kept/],
  ['a blob of a lost job', `INSERT INTO blob_refs VALUES (99, 'ab')`, null, /"blob_refs" belong to no job/],
];

suite('examine', () => {
  test('finds nothing in a sound database, and says what it has read', () => {
    using db = sound();
    assert.deepEqual(examine(db), { jobs: oldJobs.length, journals: 3, entries: 6, findings: [] });
  });

  test('finds damage to the head of a snapshot that is whole itself', () => {
    using db = sound();
    const chain = db.prepare('SELECT attempt, hash FROM journal WHERE job = 3 AND first_seq = 0').get();
    assert.ok(chain?.['hash'] instanceof Uint8Array);
    const state = { entries: 1, runtime: 'quickjs', imageHash: '', bytes: new Uint8Array(1) };
    const seal = snapshotSeal(chain['hash'], state);
    const head = new Uint8Array(2);
    const put = db.prepare("INSERT OR REPLACE INTO snapshots VALUES (3, ?, 1, 'quickjs', '', ?, ?, ?, ?)");
    put.run(Number(chain['attempt']), seal, state.bytes, head, headSeal(seal, head));
    assert.deepEqual(examine(db).findings, []);
    put.run(Number(chain['attempt']), seal, state.bytes, head, seal);
    assert.match(examine(db).findings[0]?.text ?? '', /does not match its seal/);
  });

  for (const [what, sql, job, found] of damages) {
    test(`finds damage to ${what}, and names the job`, () => {
      using db = sound();
      db.exec(sql);
      const { findings } = examine(db);
      assert.ok(
        findings.some((finding) => finding.job === job && found.test(finding.text)),
        JSON.stringify(findings),
      );
    });
  }

  const pages: readonly (readonly [table: string, found: readonly (readonly [job: string | null, text: RegExp])[]])[] =
    [
      ['journal', [['completed', /journal of attempt 1 is damaged: .*malformed/]]],
      ['content', oldJobs.map(({ id }) => [id, /its row can't be read: .*malformed/] as const)],
      ['jobs', [[null, /all jobs could not be looked at: .*malformed/]]],
      ['counters', [[null, /the counters could not be looked at/]]],
    ];
  for (const [table, found] of pages) {
    test(`examines all the rest when the page of the table "${table}" can't be read`, () => {
      using folder = new TemporaryFolder();
      const path = join(folder.path, 'control.db');
      spoilPage(path, table);
      using db = openForReading(path);
      const { jobs, findings } = examine(db);
      assert.ok(
        findings.some(({ job, text }) => job === null && /^(?:SQLite: |the file's pages could not)/.test(text)),
      );
      for (const [job, text] of found)
        assert.ok(
          findings.some((finding) => finding.job === job && text.test(finding.text)),
          JSON.stringify(findings),
        );
      assert.equal(jobs, table === 'jobs' ? 0 : oldJobs.length);
    });
  }
});

/** Writes a sound database with one page that is none: the root of a table. */
const spoilPage = (path: string, table: string): void => {
  using db = sound();
  db.prepare('VACUUM INTO ?').run(path);
  using stored = new DatabaseSync(path);
  const size = Number(stored.prepare('PRAGMA page_size').get()?.['page_size']);
  const root = Number(stored.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table)?.['rootpage']);
  stored.close();
  const file = openSync(path, 'r+');
  writeSync(file, new Uint8Array(size).fill(0x41), 0, size, (root - 1) * size);
  closeSync(file);
};

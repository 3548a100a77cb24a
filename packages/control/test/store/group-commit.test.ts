import assert from 'node:assert/strict';
import { join } from 'node:path';
import { constants, DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import type { Command } from '../../src/machine/command.ts';
import { openDatabase } from '../../src/store/database.ts';
import { GroupCommit } from '../../src/store/group-commit.ts';
import { migrate } from '../../src/store/migration.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';
import { append, claimRuns, deployCrawler, finish, oneEntryBatch, publishRuns } from '../machine/commands.ts';

const history: readonly Command[] = [
  deployCrawler(1),
  publishRuns(2, ['a', 'b', 'c'], 2),
  publishRuns(3, ['a'], 1),
  claimRuns(4, 'w1', 2),
  append(5, 'w1', [
    { job: 'a', epoch: 1, attempt: 1, ...oneEntryBatch({ job: 'a', attempt: 1, firstSeq: 0 }, 'hello') },
  ]),
  { type: 'expire', at: 6, leases: [{ job: 'b', epoch: 1 }] },
  { type: 'cancel', at: 7, job: 'c', reason: 'test' },
  finish(8, 'w1', [{ job: 'a', epoch: 1, attempt: 1, outcome: { type: 'completed', result: '1' } }]),
  claimRuns(9, 'w2', 5),
  finish(10, 'w1', [{ job: 'b', epoch: 1, attempt: 1, outcome: { type: 'completed', result: '1' } }]),
  { type: 'found', at: 11, cluster: 'here' },
];

const claimAndFinish = (id: string): readonly Command[] => [
  publishRuns(20, [id]),
  claimRuns(21, 'w3', 1),
  finish(22, 'w3', [{ job: id, epoch: 1, attempt: 1, outcome: { type: 'completed', result: '1' } }]),
];

const memoryDatabase = (): DatabaseSync => {
  const db = new DatabaseSync(':memory:');
  migrate(db);
  return db;
};

const content = (db: DatabaseSync): unknown =>
  ['jobs', 'content', 'journal', 'modules', 'deployments', 'nodes', 'tickets', 'facts', 'counters'].map((table) =>
    db.prepare(`SELECT * FROM ${table}`).all(),
  );

suite('group commit', () => {
  test('gives the same content for the same commands, however they are grouped (I1)', () => {
    const [one, all, mixed] = [memoryDatabase(), memoryDatabase(), memoryDatabase()];
    const single = new GroupCommit(one);
    for (const command of history) single.run([command]);
    new GroupCommit(all).run(history);
    new GroupCommit(mixed).run(history.slice(0, 4));
    new GroupCommit(mixed).run(history.slice(4));
    assert.deepEqual(content(all), content(one));
    assert.deepEqual(content(mixed), content(one));
  });

  test('forgets who held a job when the claim that gave it is refused', () => {
    const db = memoryDatabase();
    const group = new GroupCommit(db);
    group.run([deployCrawler(1), publishRuns(2, ['whole', 'damaged'])]);
    db.exec("UPDATE content SET entry = NULL WHERE number = (SELECT number FROM jobs WHERE id = 'damaged')");
    const ends = { job: 'whole', epoch: 1, attempt: 1, outcome: { type: 'completed', result: '1' } } as const;
    const [claimed, finished] = group.run([claimRuns(3, 'w1', 2), finish(4, 'w1', [ends])]);
    assert.equal(claimed?.ok === false && claimed.error.code, 'INTERNAL');
    assert.ok(finished?.ok === true && finished.reply.type === 'finish');
    const [answer] = finished.reply.results;
    assert.equal(answer?.ok === false && answer.error.code, 'STALE_LEASE');
    assert.deepEqual(
      { ...db.prepare("SELECT state, epoch FROM jobs WHERE id = 'whole'").get() },
      { state: 'pending', epoch: 0 },
    );
  });

  test('compiles no statement again from one command to the next', () => {
    const db = memoryDatabase();
    const group = new GroupCommit(db);
    const compiled: (string | null)[] = [];
    db.setAuthorizer((_action, table) => {
      compiled.push(table);
      return constants.SQLITE_OK;
    });
    // Setting it makes every statement be compiled once more.
    group.run([...history, ...claimAndFinish('warm')]);
    compiled.length = 0;
    const outcomes = group.run(claimAndFinish('next'));
    assert.deepEqual(
      outcomes.filter(({ ok }) => !ok),
      [],
    );
    assert.deepEqual(compiled, []);
  });

  test('runs what was deployed last, though an earlier version was looked up before, and one whose commit failed', () => {
    const db = memoryDatabase();
    const group = new GroupCommit(db);
    const moduleOf = (id: string): unknown =>
      db.prepare('SELECT module FROM content JOIN jobs USING (number) WHERE id = ?').get(id)?.['module'];
    const version = (number: string, hash: string): Command => ({ ...deployCrawler(1), version: number, hash });
    group.run([version('1', 'first'), publishRuns(2, ['a'])]);
    const pages = Number(db.prepare('PRAGMA page_count').get()?.['page_count']);
    db.exec(`PRAGMA max_page_count = ${pages}`);
    const many = Array.from({ length: 500 }, (_, index) => `job-${index}`);
    const [lost] = group.run([version('2', 'lost'), publishRuns(3, many)]);
    assert.equal(lost?.ok, false);
    db.exec('PRAGMA max_page_count = 1000000');
    group.run([version('2', 'second'), publishRuns(4, ['b'])]);
    assert.deepEqual(['a', 'b'].map(moduleOf), ['first', 'second']);
  });

  test('refuses a bad command and keeps the others of its group', () => {
    const db = memoryDatabase();
    const outcomes = new GroupCommit(db).run([
      deployCrawler(1),
      publishRuns(2, ['a']),
      publishRuns(3, ['new', 'a'], 2),
      publishRuns(4, ['b']),
    ]);
    assert.deepEqual(
      outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code)),
      ['ok', 'ok', 'JOB_EXISTS', 'ok'],
    );
    assert.deepEqual(
      db
        .prepare('SELECT id FROM jobs ORDER BY number')
        .all()
        .map((row) => row['id']),
      ['a', 'b'],
    );
  });

  test('takes a thousand items in one command, each answered by itself', () => {
    const group = new GroupCommit(memoryDatabase());
    const ids = Array.from({ length: 1_000 }, (_, index) => `job-${index}`);
    group.run([deployCrawler(1), publishRuns(2, ids), claimRuns(3, 'w1', 1_000)]);
    const items = ids.map((job, index) => ({
      job,
      epoch: index === 500 ? 7 : 1,
      attempt: 1,
      outcome: { type: 'completed', result: '1' } as const,
    }));
    const [outcome] = group.run([finish(4, 'w1', items)]);
    assert.ok(outcome?.ok && outcome.reply.type === 'finish');
    assert.equal(outcome.reply.results.filter((result) => result.ok).length, 999);
    assert.equal(outcome.effects.finals.length, 999);
  });

  test('acknowledges nothing while the disk is full, and goes on when there is room again', () => {
    using folder = new TemporaryFolder();
    const db = openDatabase(join(folder.path, 'control.db'));
    const group = new GroupCommit(db);
    group.run([deployCrawler(1)]);
    const pages = Number(db.prepare('PRAGMA page_count').get()?.['page_count']);
    db.exec(`PRAGMA max_page_count = ${pages}`);
    const many = Array.from({ length: 500 }, (_, index) => `job-${index}`);
    const full = group.run([publishRuns(2, ['first']), publishRuns(3, many)]);
    assert.deepEqual(
      full.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code)),
      ['UNAVAILABLE', 'UNAVAILABLE'],
    );
    assert.equal(db.prepare('SELECT count(*) AS jobs FROM jobs').get()?.['jobs'], 0);
    db.exec('PRAGMA max_page_count = 1000000');
    const again = group.run([publishRuns(4, ['first']), publishRuns(5, many)]);
    assert.deepEqual(
      again.map((outcome) => outcome.ok),
      [true, true],
    );
    assert.equal(db.prepare(`SELECT value FROM counters WHERE name = 'pending'`).get()?.['value'], 501);
    db.close();
  });
});

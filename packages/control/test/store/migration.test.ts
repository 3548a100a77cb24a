import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { GroupCommit } from '../../src/store/group-commit.ts';
import { journalEntries, logLines } from '../../src/queue/journal-view.ts';
import { examine } from '../../src/store/examination.ts';
import { Reader } from '../../src/store/reader.ts';
import { readySql } from '../../src/machine/unclaimed-job.ts';
import { migrate, migrations } from '../../src/store/migration.ts';
import { oldestSql } from '../../src/store/prunable.ts';
import { claimRuns, finish, publishRuns } from '../machine/commands.ts';
import { oldDatabase, oldInput, oldJobs, oldResult } from './old-database.ts';

suite('migrations', () => {
  test('bring an empty database to the current schema, once', () => {
    const db = new DatabaseSync(':memory:');
    migrate(db);
    migrate(db);
    assert.equal(db.prepare('SELECT count(*) AS steps FROM migrations').get()?.['steps'], migrations.length);
  });

  test('refuse a database of a newer release, and leave it as it is', () => {
    const db = new DatabaseSync(':memory:');
    db.exec(`PRAGMA user_version = ${migrations.length + 1}`);
    assert.throws(() => migrate(db), { code: 'CONFIG_INVALID', message: /written by a newer release/ });
    assert.deepEqual(db.prepare('SELECT name FROM sqlite_master').all(), []);
  });

  test('keep the jobs of version 2 claimable, and let a waiting one be found by its time alone', () => {
    const db = new DatabaseSync(':memory:');
    migrate(db, 2);
    db.exec("UPDATE counters SET value = 1 WHERE name IN ('job', 'change', 'pending', 'deployment')");
    db.exec(`INSERT INTO jobs (number, id, state, durable, attempt, epoch, lost_leases, strikes, claimed_at, claimed_entries,
      resumes, run_at, bare, journal_entries, journal_bytes, updated_at, change)
      VALUES (1, 'a', 'pending', 1, 1, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 5, 1)`);
    db.exec(`INSERT INTO content VALUES (1, 'w', 'w@1/w', 'hash', 'w', 'null', 1, 1, 1, 1, 5, x'00')`);
    migrate(db);
    const claim = { type: 'claim', at: 10, worker: 'w', incarnation: 'i', capacity: 1 } as const;
    const [outcome] = new GroupCommit(db).run([claim]);
    assert.ok(outcome?.ok && outcome.reply.type === 'claim');
    assert.deepEqual(
      outcome.reply.jobs.map(({ job }) => job),
      ['a'],
    );
    const plan = db
      .prepare(`EXPLAIN QUERY PLAN ${readySql.replaceAll('?', '1')}`)
      .all()
      .map((row) => String(row['detail']));
    assert.match(plan.join('; '), /USING INDEX jobs_ready \(lane=\?\)/);
    assert.doesNotMatch(plan.join('; '), /TEMP B-TREE/);
  });

  test('leave indexes whose conditions cost no temporary table in each update of a job, and find the oldest job that is over', () => {
    const db = new DatabaseSync(':memory:');
    migrate(db);
    const steps = db.prepare(
      'EXPLAIN UPDATE jobs SET state = ?, updated_at = ?, ready = ?, change = ? WHERE number = ?',
    );
    assert.deepEqual(
      steps.all().filter((row) => row['opcode'] === 'OpenEphemeral'),
      [],
    );
    const plan = db
      .prepare(`EXPLAIN QUERY PLAN ${oldestSql}`)
      .all()
      .map((row) => row['detail']);
    assert.deepEqual(plan, ['SEARCH jobs USING INDEX jobs_over (state=?)']);
  });

  test('make a ticket of each token of version 1, and workers of its nodes, and keep its jobs', () => {
    const db = new DatabaseSync(':memory:');
    migrate(db, 1);
    const hash = new Uint8Array(createHash('sha256').update('secret').digest());
    db.prepare('INSERT INTO tokens VALUES (?, ?)').run(hash, 7);
    db.prepare('INSERT INTO nodes VALUES (?, ?, ?, ?)').run('n1', 'one', 8, 9);
    const group = (): GroupCommit => new GroupCommit(db);
    db.exec("UPDATE counters SET value = 1 WHERE name IN ('job', 'change', 'pending')");
    db.exec(`INSERT INTO jobs (number, id, state, durable, attempt, epoch, lost_leases, strikes, claimed_at, claimed_entries,
      resumes, run_at, bare, journal_entries, journal_bytes, updated_at, change)
      VALUES (1, 'a', 'pending', 0, 1, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 5, 1)`);
    migrate(db);
    assert.equal(db.prepare('PRAGMA user_version').get()?.['user_version'], migrations.length);
    const [ticket] = db.prepare('SELECT * FROM tickets').all();
    assert.deepEqual(
      { ...ticket, hash: undefined },
      {
        id: hash.toHex().slice(0, 12),
        hash: undefined,
        name: 'endpoint.ticket',
        role: 'worker',
        tags: '',
        uses: 0,
        uses_max: null,
        created_at: 7,
        expires_at: null,
        revoked_at: null,
      },
    );
    const join = { type: 'join', at: 10, name: 'two', nodesMax: 10 } as const;
    const outcomes = group().run([
      { ...join, node: 'n1', tokenHash: null },
      { ...join, node: 'n2', tokenHash: hash },
    ]);
    const nodes = outcomes.map((outcome) => outcome.ok && outcome.reply.type === 'join' && outcome.reply.node);
    const common = { name: 'two', role: 'worker', tags: [], seenAt: 10, bannedAt: null, banReason: null };
    assert.deepEqual(nodes, [
      { ...common, node: 'n1', ticket: null, joinedAt: 8 },
      { ...common, node: 'n2', ticket: hash.toHex().slice(0, 12), joinedAt: 10 },
    ]);
    assert.equal(db.prepare("SELECT count(*) AS jobs FROM jobs WHERE id = 'a'").get()?.['jobs'], 1);
  });

  for (let version = 1; version <= migrations.length; version += 1) {
    test(`keep all that a database of version ${version} holds, and let its jobs go on`, () => {
      using db = oldDatabase(version);
      migrate(db);
      assert.deepEqual(examine(db).findings, []);
      const reader = new Reader(db);
      assert.deepEqual(
        oldJobs.map(({ id }) => readOldJob(reader, id)),
        oldJobs,
      );
      demandLaterRows(reader, version);
      const group = new GroupCommit(db);
      const [claimed, again] = group.run([claimRuns(10, 'n2', 10), publishRuns(11, ['completed'], 2)]);
      assert.ok(claimed?.ok === true && claimed.reply.type === 'claim');
      assert.deepEqual(
        claimed.reply.jobs.map(({ job, epoch }) => [job, epoch]),
        [['ready', 1]],
      );
      assert.ok(again?.ok === true && again.reply.type === 'publish' && again.reply.jobs[0]?.created === false);
      const held = { job: 'running', epoch: 3, attempt: 1 };
      const [finished] = group.run([finish(12, 'n1', [{ ...held, outcome: { type: 'completed', result: '1' } }])]);
      assert.deepEqual(finished?.ok === true && finished.reply, { type: 'finish', results: [{ ok: true }] });
      assert.deepEqual(examine(db).findings, []);
    });
  }
});

/** What is left of an old job, after checking that its content and journal are what they were. */
const readOldJob = (reader: Reader, id: string): unknown => {
  const found = reader.answer({ type: 'job', id });
  const stored = reader.answer({ type: 'journal', id, attempt: null });
  assert.ok(found.type === 'job' && found.row !== null && stored.type === 'journal' && stored.journal !== null);
  const { state, epoch, content, result } = found.row;
  assert.equal(content.input, oldInput);
  assert.equal(result, state === 'completed' ? oldResult : null);
  const entries = journalEntries(id, stored.journal);
  assert.deepEqual(
    logLines(entries).map(({ text }) => text),
    entries.map((_, seq) => `line ${seq}`),
  );
  return { id, state, reference: content.reference, epoch, entries: entries.length };
};

/** Tickets, messages, queues and schedules, as far as the version had them. */
const demandLaterRows = (reader: Reader, version: number): void => {
  const tickets = reader.answer({ type: 'tickets' });
  assert.deepEqual(tickets.type === 'tickets' && tickets.tickets.map(({ id }) => id), ['010203040506']);
  const modules = reader.answer({ type: 'modules' });
  assert.deepEqual(modules.type === 'modules' && modules.modules.map(({ workflows }) => workflows), [['main']]);
  const inbox = reader.answer({ type: 'inbox', id: 'running', after: 0, limit: 10 });
  assert.equal(inbox.type === 'inbox' && inbox.items.length, version >= 3 ? 1 : 0);
  const queues = reader.answer({ type: 'queues' });
  const [queue] = queues.type === 'queues' ? queues.queues : [];
  assert.equal(queue?.settings.concurrency ?? null, version >= 6 ? 5 : null);
  const schedules = reader.answer({ type: 'schedules' });
  assert.equal(schedules.type === 'schedules' && schedules.schedules.length, version >= 7 ? 1 : 0);
};

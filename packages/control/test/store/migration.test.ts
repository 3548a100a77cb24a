import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { GroupCommit } from '../../src/store/group-commit.ts';
import { readySql } from '../../src/machine/job-table.ts';
import { migrate, migrations } from '../../src/store/migration.ts';

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
    assert.match(plan.join('; '), /USING INDEX jobs_ready \(durable=\? AND run_at<\?\)/);
    assert.doesNotMatch(plan.join('; '), /TEMP B-TREE/);
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
});

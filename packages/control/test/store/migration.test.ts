import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
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
});

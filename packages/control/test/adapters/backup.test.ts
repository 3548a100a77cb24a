import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { backupData, restoreData } from '../../src/adapters/backup.ts';
import { openDatabase, openForReading } from '../../src/store/database.ts';
import { examine } from '../../src/store/examination.ts';
import { migrations } from '../../src/store/migration.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';
import { oldDatabase, oldJobs } from '../store/old-database.ts';

/** A data folder as a release of that schema version left it, with one secret. */
const dataOf = (folder: string, version: number): string => {
  const data = join(folder, 'data');
  mkdirSync(data);
  using old = oldDatabase(version);
  old.prepare('VACUUM INTO ?').run(join(data, 'control.db'));
  writeFileSync(join(data, 'node.key'), 'the key');
  return data;
};

suite('a backup', () => {
  test('has the secrets, for its owner alone, or has none of them', () => {
    using folder = new TemporaryFolder();
    const data = dataOf(folder.path, migrations.length);
    const [whole, bare] = [join(folder.path, 'whole.db'), join(folder.path, 'bare.db')];
    assert.deepEqual(backupData({ data, file: whole }).secrets, ['node.key']);
    assert.deepEqual(backupData({ data, file: bare, secrets: false }).secrets, []);
    assert.equal(statSync(whole).mode & 0o777, 0o600);
    assert.equal(readFileSync(bare).includes('the key'), false);
    restoreData({ file: whole, data: join(folder.path, 'restored') });
    assert.equal(readFileSync(join(folder.path, 'restored', 'node.key'), 'utf8'), 'the key');
    assert.equal(readFileSync(join(folder.path, 'restored', 'control.db')).includes('the key'), false);
  });

  test('that an earlier release made is restored with all its jobs, in the current schema', () => {
    for (const version of migrations.keys()) {
      using folder = new TemporaryFolder();
      const data = dataOf(folder.path, version + 1);
      const file = join(folder.path, 'backup.db');
      assert.equal(backupData({ data, file }).jobs, oldJobs.length);
      assert.equal(restoreData({ file, data: join(folder.path, 'restored') }).jobs, oldJobs.length);
      using db = openDatabase(join(folder.path, 'restored', 'control.db'));
      assert.equal(db.prepare('PRAGMA user_version').get()?.['user_version'], migrations.length);
      assert.deepEqual(examine(db).findings, []);
    }
  });

  test('replaces another one only when it is told to, and leaves nothing unfinished when it can not be made', () => {
    using folder = new TemporaryFolder();
    const data = dataOf(folder.path, migrations.length);
    const file = join(folder.path, 'backup.db');
    backupData({ data, file });
    const before = readFileSync(file);
    assert.throws(() => backupData({ data, file }), { code: 'CONFIG_INVALID', message: /--force/ });
    writeFileSync(join(data, 'control.db'), 'no database');
    assert.throws(() => backupData({ data, file, force: true }));
    assert.deepEqual(readFileSync(file), before);
    assert.deepEqual(readdirSync(folder.path).sort(), ['backup.db', 'data']);
  });

  test('that is damaged or cut short is refused before anything is written', () => {
    using folder = new TemporaryFolder();
    const data = dataOf(folder.path, migrations.length);
    const file = join(folder.path, 'backup.db');
    const { bytes } = backupData({ data, file });
    const pageBytes = 4_096;
    const damaged = readFileSync(file);
    damaged.fill(0xa5, pageBytes, 3 * pageBytes);
    writeFileSync(join(folder.path, 'damaged.db'), damaged);
    truncateSync(file, Math.floor(bytes / 2));
    for (const name of ['damaged.db', 'backup.db']) {
      const restored = join(folder.path, 'restored');
      assert.throws(() => restoreData({ file: join(folder.path, name), data: restored }), {
        code: 'CONFIG_INVALID',
        message: new RegExp(`${name} is no sound backup`),
      });
      assert.equal(existsSync(restored), false);
    }
  });

  test('is never restored over what is there', () => {
    using folder = new TemporaryFolder();
    const data = dataOf(folder.path, migrations.length);
    const file = join(folder.path, 'backup.db');
    backupData({ data, file });
    assert.throws(() => restoreData({ file, data }), { code: 'CONFIG_INVALID', message: /is not empty/ });
    using db = openForReading(join(data, 'control.db'));
    assert.deepEqual(examine(db).findings, []);
  });
});

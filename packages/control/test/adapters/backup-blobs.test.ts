import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { beginBlake3 } from '@mvm-ci/protocol';
import { backupBlobsPath } from '../../src/adapters/backup-blobs.ts';
import { backupData, restoreData } from '../../src/adapters/backup.ts';
import { blobFolder, blobNames, blobPath } from '../../src/adapters/blob-folder.ts';
import { examineData } from '../../src/adapters/examine-data.ts';
import { BlobTable } from '../../src/machine/blob-table.ts';
import { openDatabase } from '../../src/store/database.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

/** A data folder whose database names these blobs, and whose files hold them. */
class BlobData {
  readonly data: string;
  readonly backup: string;

  constructor(folder: string) {
    this.data = join(folder, 'data');
    this.backup = join(folder, 'backup.db');
    mkdirSync(this.data);
    openDatabase(join(this.data, 'control.db')).close();
  }

  get blobs(): string {
    return join(this.data, 'blobs');
  }

  /** @returns the blob's hash */
  async keep(content: string): Promise<string> {
    const bytes = new TextEncoder().encode(content);
    const hash = await this.write(bytes);
    using db = openDatabase(join(this.data, 'control.db'));
    new BlobTable(db).keep(hash, bytes.length, 1);
    return hash;
  }

  /** The file alone, as a crash between its name and its row leaves it. */
  async write(bytes: Uint8Array): Promise<string> {
    const running = await beginBlake3();
    running.update(bytes);
    const hash = running.digest();
    const writer = await blobFolder(this.blobs).begin();
    await writer.write(bytes);
    await writer.keep(hash);
    return hash;
  }

  forget(hash: string): void {
    using db = openDatabase(join(this.data, 'control.db'));
    db.prepare('DELETE FROM blobs WHERE hash = ?').run(hash);
  }
}

suite('the blobs of a backup', () => {
  test('are in the folder beside it, and in the data folder that is made of both', async () => {
    using folder = new TemporaryFolder();
    const site = new BlobData(folder.path);
    const hashes = [await site.keep('one'), await site.keep('another')];
    const { blobs } = backupData({ data: site.data, file: site.backup });
    assert.deepEqual(blobs, { count: 2, bytes: 10, missing: [] });
    const restored = join(folder.path, 'restored');
    assert.deepEqual(restoreData({ file: site.backup, data: restored }).blobs, blobs);
    assert.equal(readFileSync(blobPath(join(restored, 'blobs'), hashes[0] ?? ''), 'utf8'), 'one');
    for (const path of [site.backup, restored])
      assert.deepEqual(await examineData(path), {
        jobs: 0,
        journals: 0,
        entries: 0,
        findings: [],
        blobs: 2,
        blobOrphans: 0,
      });
  });

  test('leave with the backup that is replaced, and are left out when they are not wanted', async () => {
    using folder = new TemporaryFolder();
    const site = new BlobData(folder.path);
    const [old, kept] = [await site.keep('old'), await site.keep('kept')];
    backupData({ data: site.data, file: site.backup });
    site.forget(old);
    backupData({ data: site.data, file: site.backup, force: true });
    assert.deepEqual(blobNames(backupBlobsPath(site.backup)), [kept]);
    const bare = join(folder.path, 'bare.db');
    assert.equal(backupData({ data: site.data, file: bare, blobs: false }).blobs, null);
    assert.deepEqual(readdirSync(folder.path).sort(), ['backup.db', 'backup.db.blobs', 'bare.db', 'data']);
  });

  test('that are not there are named, by the backup, by what is restored and by the doctor', async () => {
    using folder = new TemporaryFolder();
    const site = new BlobData(folder.path);
    const hash = await site.keep('lost');
    rmSync(blobPath(site.blobs, hash));
    const { blobs } = backupData({ data: site.data, file: site.backup });
    assert.deepEqual(blobs, { count: 0, bytes: 0, missing: [hash] });
    const restored = restoreData({ file: site.backup, data: join(folder.path, 'restored') });
    assert.deepEqual(restored.blobs?.missing, [hash]);
    const { findings } = await examineData(site.backup);
    assert.deepEqual(findings, [{ job: null, text: `the blob ${hash} is not there` }]);
  });
});

suite('the doctor', () => {
  test('names a blob that was changed or cut short, and counts files that no row names', async () => {
    using folder = new TemporaryFolder();
    const site = new BlobData(folder.path);
    const [changed, short] = [await site.keep('changed'), await site.keep('cut short')];
    await site.write(new TextEncoder().encode('nobody knows it'));
    writeFileSync(blobPath(site.blobs, changed), 'Changed');
    truncateSync(blobPath(site.blobs, short), 3);
    const { findings, blobs, blobOrphans } = await examineData(site.data);
    assert.deepEqual([blobs, blobOrphans], [2, 1]);
    assert.deepEqual(
      findings.map(({ text }) => text).sort(),
      [`the blob ${changed} does not match its hash`, `the blob ${short} has 3 bytes, and the database says 9`].sort(),
    );
  });
});

/** What a crash leaves of the write-ahead log, and what a disk does that is full or fails. */
import { defaultBackoff } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { contentHash } from '../../src/queue/content-hash.ts';
import { openDatabase } from '../../src/store/database.ts';
import { examine } from '../../src/store/examination.ts';
import { openThreadStore } from '../../src/store/thread-store.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

const groups = 5;
/** A step between two cuts: no divisor of a page or a frame, so that all places in them are met. */
const stepBytes = 61;

interface Crash {
  /** The whole log. */
  readonly log: Buffer;
  /** How long it was when the last group was acknowledged. */
  readonly acknowledgedBytes: number;
}

const crash = (path: string): Crash => {
  const program = new URL('./fixtures/commit-and-die.ts', import.meta.url).pathname;
  const { stdout, signal } = spawnSync(process.execPath, [program, path, String(groups)], { encoding: 'utf8' });
  assert.equal(signal, 'SIGKILL');
  const sizes = stdout.trim().split('\n').map(Number);
  assert.equal(sizes.length, groups - 1);
  return { log: readFileSync(`${path}-wal`), acknowledgedBytes: sizes.at(-1) ?? 0 };
};

/** Opens a copy of the database with this log. */
const openWith = (original: string, copy: string, log: Uint8Array): DatabaseSync => {
  for (const end of ['', '-wal', '-shm']) rmSync(`${copy}${end}`, { force: true });
  copyFileSync(original, copy);
  writeFileSync(`${copy}-wal`, log);
  return openDatabase(copy);
};

const groupsIn = (db: DatabaseSync): readonly number[] =>
  db
    .prepare('SELECT id, count(*) AS jobs FROM jobs GROUP BY substr(id, 1, 8) ORDER BY id')
    .all()
    .map((row) => Number(row['jobs']));

suite('a write that was torn by a crash', () => {
  test('takes nothing with it that was acknowledged, wherever it was torn, and leaves no half of a group', () => {
    using folder = new TemporaryFolder();
    const original = join(folder.path, 'control.db');
    const { log, acknowledgedBytes } = crash(original);
    assert.ok(log.length > acknowledgedBytes, 'the last group wrote nothing');
    let [whole, torn] = [0, 0];
    for (let bytes = acknowledgedBytes; bytes <= log.length; bytes += stepBytes) {
      using db = openWith(original, join(folder.path, 'copy.db'), log.subarray(0, bytes));
      const found = groupsIn(db);
      assert.ok(
        found.length === groups - 1 || found.length === groups,
        `${found.length} groups after a cut at ${bytes}`,
      );
      assert.ok(found.every((jobs) => jobs === 20));
      assert.deepEqual(examine(db).findings, []);
      if (found.length === groups) whole += 1;
      else torn += 1;
    }
    assert.ok(torn > 100, `only ${torn} cuts hit the last group, ${whole} did not`);
  });

  test('is told from a whole one by its checksum, also when its length is right', () => {
    using folder = new TemporaryFolder();
    const original = join(folder.path, 'control.db');
    const { log, acknowledgedBytes } = crash(original);
    for (let at = acknowledgedBytes; at < log.length; at += 997) {
      const damaged = Uint8Array.from(log);
      damaged.set(
        damaged.subarray(at, at + 1).map((byte) => byte ^ 0x10),
        at,
      );
      using db = openWith(original, join(folder.path, 'copy.db'), damaged);
      assert.equal(groupsIn(db).length, groups - 1, `a flipped bit at ${at}`);
    }
  });
});

/** A small file system in memory. @returns its end */
const mountSmall = (path: string, bytes: number): (() => void) => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', path], { stdio: 'ignore' });
  return () => void execFileSync('umount', [path], { stdio: 'ignore' });
};

const lacksMounts = (): string | false => {
  using folder = new TemporaryFolder();
  try {
    mountSmall(folder.path, 100_000)();
    return false;
  } catch {
    return 'no file system can be mounted here: it takes root, and the right to in a container';
  }
};

suite('a disk that is full', { skip: lacksMounts() }, () => {
  test('is told to the caller, takes nothing that was acknowledged, and is used again when there is room', async () => {
    using folder = new TemporaryFolder();
    const unmount = mountSmall(folder.path, 3_000_000);
    await using mounted = new AsyncDisposableStack();
    mounted.defer(unmount);
    const path = join(folder.path, 'control.db');
    const ballast = join(folder.path, 'ballast');
    writeFileSync(ballast, new Uint8Array(1_000_000));
    const store = await openThreadStore({ path, onEffects: () => {} });
    mounted.defer(() => store.close());
    const acknowledged: string[] = [];
    const content = {
      reference: null,
      input: JSON.stringify('x'.repeat(50_000)),
      attemptsMax: 1,
      backoff: defaultBackoff,
    };
    const hash = contentHash(content);
    const publish = async (id: string): Promise<void> => {
      await store.apply<'publish'>({ type: 'publish', at: 1, jobs: [{ id, ...content, hash }], pendingJobsMax: 1e9 });
      acknowledged.push(id);
    };
    const fill = async (): Promise<never> => {
      for (let number = 0; ; number += 1) await publish(`job-${number}`);
    };
    await assert.rejects(fill(), {
      code: 'UNAVAILABLE',
      message: /the disk is full \(\d{1,5} bytes are free\): make room .*: database or disk is full/,
    });
    assert.ok(acknowledged.length > 3, 'the disk was full too soon');
    await assert.rejects(publish('still-full'), { code: 'UNAVAILABLE' });
    rmSync(ballast);
    await publish('room-again');
    await store.close();
    using db = openDatabase(path);
    const found = new Set(
      db
        .prepare('SELECT id FROM jobs')
        .all()
        .map((row) => row['id']),
    );
    assert.deepEqual(
      acknowledged.filter((id) => !found.has(id)),
      [],
    );
    assert.equal(found.has('still-full'), false);
    assert.deepEqual(examine(db).findings, []);
  });
});

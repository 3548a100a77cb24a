import { blake3, toHex, type BlobPart } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { blobFolder } from '../../src/adapters/blob-folder.ts';
import { controlLimits } from '../../src/limits.ts';
import { TestPlane } from '../api/test-plane.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const hashOf = (words: string): string => toHex(blake3(words));
const loose = { job: null, worker: null } as const;

const pieces = async function* (...words: readonly string[]): AsyncIterable<Uint8Array> {
  for (const word of words) yield await Promise.resolve(text(word));
};

const read = async (source: AsyncIterable<Uint8Array>): Promise<string> => {
  let whole = '';
  for await (const bytes of source) whole += new TextDecoder().decode(bytes);
  return whole;
};

/** All files below, by their last names. */
const filesIn = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

/** A plane whose blobs are in a folder of their own, with a job that `w1` holds. */
const open = async (folder: string): Promise<TestPlane> => {
  const plane = await TestPlane.open({ blobs: blobFolder(folder) });
  await plane.claimOne('held');
  return plane;
};

const partOf = (words: string, more: Partial<BlobPart> = {}): BlobPart => ({
  job: 'held',
  upload: 'u1',
  offset: 0,
  bytes: text(words),
  ...more,
});

test('a blob is kept whole, under its hash', async () => {
  using folder = new TemporaryFolder();
  await using plane = await open(folder.path);
  const { blobs } = plane.core;
  const blob = await blobs.put(loose, pieces('one ', 'two ', 'three'));
  assert.deepEqual(blob, { hash: hashOf('one two three'), bytes: 13 });
  assert.equal(await read(blobs.read(blob.hash, 4, 7)), 'two');
  assert.deepEqual(filesIn(folder.path), [blob.hash]);
});

test('an upload that is cut off leaves nothing', async () => {
  using folder = new TemporaryFolder();
  await using plane = await open(folder.path);
  const torn = async function* (): AsyncIterable<Uint8Array> {
    yield* pieces('half');
    throw new Error('cut off');
  };
  await assert.rejects(plane.core.blobs.put(loose, torn()), /cut off/);
  assert.deepEqual(filesIn(folder.path), []);
});

test('a start removes files that no row knows, and what was being written', async () => {
  using folder = new TemporaryFolder();
  const [kept, orphan] = [hashOf('kept'), hashOf('orphan')];
  await using plane = await open(folder.path);
  await plane.core.blobs.put(loose, pieces('kept'));
  const files = blobFolder(folder.path);
  const writer = await files.begin();
  await writer.write(text('orphan'));
  await writer.keep(orphan);
  writeFileSync(join(folder.path, 'incoming', 'torn'), 'torn');
  assert.equal(filesIn(folder.path).length, 3);
  blobFolder(folder.path);
  await plane.core.blobs.start();
  assert.deepEqual(filesIn(folder.path), [kept]);
});

test('parts are taken in order, once each, and the last one again when its answer was lost', async () => {
  using folder = new TemporaryFolder();
  await using plane = await open(folder.path);
  const { uploads, blobs } = plane.core;
  const first = partOf('one ');
  assert.deepEqual(await uploads.take('w1', first), { received: 4, blob: null });
  assert.deepEqual(await uploads.take('w1', first), { received: 4, blob: null });
  const last = partOf('two', { offset: 4, hash: hashOf('one two') });
  const answer = { received: 7, blob: { hash: hashOf('one two'), bytes: 7 } };
  assert.deepEqual(await uploads.take('w1', last), answer);
  assert.deepEqual(await uploads.take('w1', last), answer);
  assert.equal(await read(blobs.read(hashOf('one two'), 0, 7)), 'one two');
  assert.equal(uploads.count, 0);
});

test('parts with a gap, bytes with another hash, and parts of whoever does not hold the job are refused and leave nothing', async () => {
  using folder = new TemporaryFolder();
  await using plane = await open(folder.path);
  const { uploads } = plane.core;
  await uploads.take('w1', partOf('one'));
  await assert.rejects(uploads.take('w1', partOf('x', { offset: 9 })), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(uploads.take('w1', partOf('x', { offset: 3 })), { code: 'BLOB_NOT_FOUND' });
  await assert.rejects(uploads.take('w1', partOf('one', { hash: hashOf('two') })), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(uploads.take('w2', partOf('one', { hash: hashOf('one') })), { code: 'STALE_LEASE' });
  const ofNoJob = partOf('one', { job: 'no-job', hash: hashOf('one') });
  await assert.rejects(uploads.take('w1', ofNoJob), { code: 'JOB_NOT_FOUND' });
  assert.equal(uploads.count, 0);
  assert.deepEqual(filesIn(folder.path), []);
});

test('a blob is removed a week after it was kept, unless a job refers to it, and with that job then', async () => {
  using folder = new TemporaryFolder();
  await using plane = await TestPlane.open({
    blobs: blobFolder(folder.path),
    retention: { completed: { ms: 0, count: null } },
  });
  const { job, epoch, attempt } = await plane.claimOne('held');
  const { blobs } = plane.core;
  const referred = await blobs.put({ job, worker: 'w1' }, pieces('referred'));
  await blobs.put(loose, pieces('loose'));
  assert.equal(await blobs.sweep(), 0, 'its time is not over');
  plane.clock.stall(controlLimits.blobUnreferencedMs + 1);
  await blobs.stop();
  assert.deepEqual(filesIn(folder.path), [referred.hash]);

  const finishes = [{ job, epoch, attempt, outcome: { type: 'completed', result: '1' } }];
  await plane.call('POST', '/peer/finish', { body: { worker: 'w1', finishes } });
  plane.clock.advance(controlLimits.pruneIdleMs);
  // Its turn ends with the plane.
  await plane.restart();
  assert.equal((await plane.call('GET', '/queue/status/held')).status, 404);
  assert.equal(await plane.core.blobs.sweep(), 1);
  assert.deepEqual(filesIn(folder.path), []);
});

test('one range of a blob is answered with 206, and a range after its end is refused', async () => {
  using folder = new TemporaryFolder();
  await using plane = await open(folder.path);
  const { hash } = await plane.core.blobs.put(loose, pieces('one two three'));
  const ask = async (range: string): Promise<readonly unknown[]> => {
    const { status, body, headers } = await plane.call('GET', `/blobs/${hash}`, { headers: { range } });
    return [
      status,
      body instanceof Uint8Array ? new TextDecoder().decode(body) : 'refused',
      headers.get('content-range'),
    ];
  };
  assert.deepEqual(await ask('bytes=4-6'), [206, 'two', 'bytes 4-6/13']);
  assert.deepEqual(await ask('bytes=-5'), [206, 'three', 'bytes 8-12/13']);
  assert.deepEqual(await ask('bytes=8-99'), [206, 'three', 'bytes 8-12/13']);
  assert.deepEqual(await ask('bytes=0-1,4-5'), [200, 'one two three', null]);
  assert.deepEqual(await ask('bytes=13-'), [400, 'refused', null]);
});

test(
  'a blob that nobody reads after all, as with HEAD, leaves no file open',
  { skip: process.platform !== 'linux' },
  async () => {
    using folder = new TemporaryFolder();
    await using plane = await open(folder.path);
    const { hash } = await plane.core.blobs.put(loose, pieces('one two three'));
    const head = await plane.call('HEAD', `/blobs/${hash}`);
    assert.deepEqual([head.status, head.headers.get('content-length'), head.body.length], [200, '13', 0]);
    // A file that is opened is open some turns of the event loop later: this one is read to its end meanwhile.
    assert.equal(await read(plane.core.blobs.read(hash, 0, 13)), 'one two three');
    assert.deepEqual(
      openFiles().filter((path) => path.endsWith(hash)),
      [],
    );
  },
);

const openFiles = (): readonly string[] =>
  readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      return [readlinkSync(`/proc/self/fd/${name}`)];
    } catch {
      // The one that the folder itself was read with.
      return [];
    }
  });

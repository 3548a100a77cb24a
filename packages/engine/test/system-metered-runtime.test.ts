import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { blake3, toHex } from '@mvm-ci/protocol';
import { metered, meteredHashes, meteredRuntime } from '../src/system-metered-runtime.ts';
import { guestRuntime, guestRuntimes, runtimeBinary } from '../src/system-quickjs.ts';

describe('a metered runtime', () => {
  const before = process.env['NODE_COMPILE_CACHE'];
  let folder = '';
  let reads = 0;
  const read = (): Promise<Uint8Array> => {
    reads += 1;
    return runtimeBinary(guestRuntime);
  };

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mvm-ci-metered-'));
    process.env['NODE_COMPILE_CACHE'] = folder;
    reads = 0;
  });
  afterEach(async () => {
    if (before === undefined) delete process.env['NODE_COMPILE_CACHE'];
    else process.env['NODE_COMPILE_CACHE'] = before;
    await rm(folder, { recursive: true, force: true });
  });

  it('has the hash that is written down, for every build', async () => {
    for (const runtime of guestRuntimes)
      assert.equal(toHex(blake3(metered(await runtimeBinary(runtime)))), meteredHashes[runtime], runtime);
  });

  it('is made once, and found by the next process', async () => {
    const made = await meteredRuntime(guestRuntime, read);
    const found = await meteredRuntime(guestRuntime, read);
    assert.deepEqual(Buffer.from(found), Buffer.from(made));
    assert.equal(reads, 1);
    assert.equal((await readdir(folder)).length, 1);
  });

  it('is made again when what is kept is not what it should be', async () => {
    await meteredRuntime(guestRuntime, read);
    const [name = ''] = await readdir(folder);
    const kept = await readFile(join(folder, name));
    await writeFile(join(folder, name), kept.fill(0, 1_000, 1_010));
    const made = await meteredRuntime(guestRuntime, read);
    assert.equal(toHex(blake3(made)), meteredHashes[guestRuntime]);
    assert.equal(reads, 2);
  });

  it('is made where nothing can be kept', async () => {
    process.env['NODE_COMPILE_CACHE'] = join(folder, 'x\0y');
    assert.equal(toHex(blake3(await meteredRuntime(guestRuntime, read))), meteredHashes[guestRuntime]);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { lacksCompiler } from './compilers.ts';
import { Scene } from './scene.ts';

const deadlineMs = 120_000;

describe('a program of the C library', { skip: await lacksCompiler('C') }, () => {
  it('finds files, folders, streams, clocks and errors as POSIX has them', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using scene = await Scene.start({ workers: 1 });
    await scene.deploy('c-library');
    const [id = ''] = await scene.publish([{ workflow: 'c-library', input: { a: 1 } }]);
    const ended = await scene.ended(id, signal);
    assert.deepEqual(ended.result, [], JSON.stringify(ended.error));
  });
});

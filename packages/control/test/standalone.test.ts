import { claimAnswerSchema } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join as pathIn } from 'node:path';
import { suite, test } from 'node:test';
import { openStandalone, type Standalone } from '../src/standalone.ts';
import { moduleFile } from './api/test-plane.ts';
import { TemporaryFolder } from './fixtures/temporary-folder.ts';

const { signal } = new AbortController();

const open = (data: string): Promise<Standalone> =>
  openStandalone({ data, admit: (file) => Promise.resolve({ workflows: file.workflows }) });

const join = (alone: Standalone, incarnation = 'i1'): Promise<unknown> => {
  const body = { protocol: 1, incarnation, token: alone.token };
  return alone.call({ method: 'POST', route: 'join', body }, { signal });
};

const claim = async (alone: Standalone, incarnation = 'i1'): Promise<readonly { job: string; epoch: number }[]> => {
  const body = { incarnation, capacity: 10, waitMs: incarnation === 'i1' ? 0 : 50_000 };
  const answer = await alone.call({ method: 'POST', route: 'claim', body }, { signal });
  return claimAnswerSchema.parse(answer).jobs.map(({ job, epoch }) => ({ job, epoch }));
};

suite('a control plane without peers', () => {
  test('gives out at once what the process before held, though its leases are long', { timeout: 60_000 }, async () => {
    using folder = new TemporaryFolder();
    {
      await using first = await open(folder.path);
      await first.core.modules.deploy({ name: 'm', version: '1', file: moduleFile() });
      await first.core.queue.publish([{ job_id: 'a', workflow: 'm' }]);
      await join(first);
      assert.deepEqual(await claim(first), [{ job: 'a', epoch: 1 }]);
    }
    await using second = await open(folder.path);
    await join(second, 'i2');
    assert.deepEqual(await claim(second, 'i2'), [{ job: 'a', epoch: 2 }]);
    assert.equal((await second.core.queue.status('a')).lost_leases, 0);
  });

  test('blames jobs only when processes end again and again, soon after their start', { timeout: 60_000 }, async () => {
    using folder = new TemporaryFolder();
    {
      await using first = await open(folder.path);
      await first.core.modules.deploy({ name: 'm', version: '1', file: moduleFile() });
      await first.core.queue.publish([{ job_id: 'a', workflow: 'm' }]);
      await join(first);
      await claim(first);
    }
    assert.equal(readFileSync(pathIn(folder.path, 'short-lives'), 'utf8'), '0\n');
    writeFileSync(pathIn(folder.path, 'short-lives'), '2\n');
    await using later = await open(folder.path);
    assert.equal(readFileSync(pathIn(folder.path, 'short-lives'), 'utf8'), '3\n');
    await join(later, 'i2');
    assert.deepEqual(await claim(later, 'i2'), [{ job: 'a', epoch: 2 }]);
    assert.equal((await later.core.queue.status('a')).lost_leases, 1);
  });

  test('serves jobs and modules over HTTP, and no peers', async () => {
    using folder = new TemporaryFolder();
    await using alone = await open(folder.path);
    const statusOf = async (method: string, path: string): Promise<number> =>
      (await alone.fetch(new Request(`http://alone${path}`, { method }))).status;
    for (const path of ['/queue/list', '/queue/stats', '/modules', '/openapi.json'])
      assert.equal(await statusOf('GET', path), 200, path);
    for (const [method, path] of [
      ['GET', '/nodes'],
      ['GET', '/tickets'],
      ['POST', '/peer/claim'],
      ['POST', '/peer/join'],
    ] as const)
      assert.equal(await statusOf(method, path), 404, path);
  });

  test('serves its worker only once it has joined', async () => {
    using folder = new TemporaryFolder();
    await using alone = await open(folder.path);
    await assert.rejects(claim(alone), { code: 'NOT_JOINED' });
    await join(alone);
    assert.deepEqual(await claim(alone), []);
  });
});

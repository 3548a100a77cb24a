/** Claims that wait while the store takes several commands into one transaction. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import type { PublishJob } from '@mvm-ci/protocol';
import { openThreadStore } from '../../src/store/thread-store.ts';
import { TestPlane } from '../api/test-plane.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

const handled = (id: string): PublishJob => ({ job_id: id, workflow: 'handler:mail', input: 1 });

const wish = {
  incarnation: 'i1',
  kinds: ['handler:mail'],
  tags: [],
  queues: null,
  modules: [],
  capacity: 1,
  waitMs: 60_000,
};

test(
  'a job that is published beside one that was there before finds the worker that waits',
  { timeout: 20_000 },
  async ({ signal }) => {
    using folder = new TemporaryFolder();
    await using plane = await TestPlane.open({
      openStore: (onEffects, onGroup) => openThreadStore({ path: join(folder.path, 'control.db'), onEffects, onGroup }),
    });
    const { queue, claims } = plane.core;
    await queue.publish([handled('old')]);
    assert.equal((await queue.claim({ ...wish, signal, worker: 'w1' })).jobs.length, 1);
    const waiting = queue.claim({ ...wish, signal, worker: 'w2' });
    while (claims.length === 0) await turn();
    await Promise.all([queue.publish([handled('old')]), queue.publish([handled('new')])]);
    const { jobs } = await waiting;
    assert.deepEqual(
      jobs.map(({ job }) => job),
      ['new'],
    );
  },
);

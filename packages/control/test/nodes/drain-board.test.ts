import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { peerProtocol } from '@mvm-ci/protocol';
import { peer, TestPlane } from '../api/test-plane.ts';

const id = '1'.repeat(64);
const worker = peer(id);
const token = 'a-join-token';

const join = (plane: TestPlane, incarnation: string): ReturnType<TestPlane['call']> =>
  plane.packed('/peer/join', { protocol: peerProtocol, token, incarnation, name: 'build-7' }, worker);

const joined = async (): Promise<TestPlane> => {
  const plane = await TestPlane.open();
  await plane.core.tickets.keepOwn(token);
  await join(plane, 'i1');
  await plane.deploy();
  return plane;
};

const claim = (plane: TestPlane, incarnation: string, more: object = {}): ReturnType<TestPlane['call']> =>
  plane.packed('/peer/claim', { incarnation, capacity: 1, ...more }, worker);

const drain = (plane: TestPlane, body: object = {}): ReturnType<TestPlane['call']> =>
  plane.call('POST', '/nodes/build-7/drain', { body });

const publish = (plane: TestPlane, job: string): ReturnType<TestPlane['call']> =>
  plane.call('POST', '/queue/publish', { body: { job_id: job, workflow: 'crawler' } });

suite('a worker that is asked to drain', () => {
  test('is told at once while it waits for jobs, and by its heartbeats, and gets no more jobs', async () => {
    await using plane = await joined();
    const waiting = claim(plane, 'i1', { waitMs: 30_000 });
    const asked = await drain(plane, { grace_ms: 5_000 });
    assert.equal(asked.body.draining, true);
    assert.deepEqual((await waiting).body.drain, { graceMs: 5_000 });
    await publish(plane, 'a');
    assert.deepEqual((await claim(plane, 'i1')).body.jobs, []);
    const beat = await plane.packed('/peer/heartbeat', { incarnation: 'i1', held: [] }, worker);
    assert.deepEqual(beat.body.drain, { graceMs: 5_000 });
  });

  test('keeps the jobs that it holds, and its next process takes jobs again', async () => {
    await using plane = await joined();
    await publish(plane, 'a');
    const [job] = (await claim(plane, 'i1')).body.jobs;
    await drain(plane);
    const held = { incarnation: 'i1', held: [{ job: job.job, epoch: job.epoch }] };
    const beat = await plane.packed('/peer/heartbeat', held, worker);
    assert.deepEqual([beat.body.lost, beat.body.drain], [[], {}]);
    await join(plane, 'i1');
    assert.notEqual((await claim(plane, 'i1')).body.drain, undefined);
    await join(plane, 'i2');
    await publish(plane, 'b');
    const next = await claim(plane, 'i2');
    assert.deepEqual([next.body.jobs.length, next.body.drain], [1, undefined]);
    assert.equal(plane.core.drains.isAsked(id), false);
  });

  test('must be a worker that has joined, and a grace time one that is allowed', async () => {
    await using plane = await joined();
    const refusal = async (path: string, body: object): Promise<readonly [number, string]> => {
      const answer = await plane.call('POST', path, { body });
      return [answer.status, answer.body.error.code];
    };
    assert.deepEqual(await refusal('/nodes/nobody/drain', {}), [404, 'NODE_NOT_FOUND']);
    assert.deepEqual(await refusal('/nodes/build-7/drain', { grace_ms: -1 }), [400, 'INVALID_ARGUMENT']);
    await plane.restart();
    assert.deepEqual(await refusal('/nodes/build-7/drain', {}), [409, 'INVALID_TRANSITION']);
  });
});

/** Handlers in processes of their own: what they did is counted at a receiver. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JobView, PublishJob } from '@mvm-ci/protocol';
import { HandlerProcess } from './handler-process.ts';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 120_000;
const quick = { initial_ms: 10, factor: 1, max_ms: 10 };

const run = async (scene: Scene, job: PublishJob): Promise<JobView> => {
  const { job_id: id } = await scene.client.publish(job);
  return scene.client.wait(id, { signal: AbortSignal.timeout(deadlineMs) });
};

const places = [
  { how: 'as an operator over HTTP', of: ({ cluster }: Scene) => ({ url: cluster.url }) },
  { how: 'by a ticket over the peer plane', of: ({ cluster }: Scene) => ({ ticket: cluster.ticket }) },
] as const;

for (const place of places) {
  describe(`a worker of handlers that is connected ${place.how}`, () => {
    it('does the runs of a job once, though its first worker dies in the middle', async () => {
      const signal = AbortSignal.timeout(deadlineMs);
      await using receiver = await Receiver.start();
      await using scene = await Scene.start();
      const first = await HandlerProcess.start(place.of(scene));
      const input = { receiver: receiver.url, pauseMs: 1_000 };
      const ids = await scene.publish(Array.from({ length: 4 }, () => ({ handler: 'ship', input })));
      await receiver.arrivals(8);
      await first.kill();
      await using second = await HandlerProcess.start(place.of(scene));
      const ended = await scene.allEnded(ids, signal);
      for (const job of ended) {
        assert.deepEqual([job.status, job.result, job.completed_by], ['completed', 'shipped', second.node]);
        assert.equal(job.lost_leases, 1);
        const { entries } = await scene.client.journal(job.job_id);
        assert.deepEqual(
          entries.flatMap((entry) => (entry.kind === 'ran' ? [entry['name']] : [])),
          ['pick', 'pack', 'post'],
        );
      }
      // A run whose result was on its way when the worker died is done again: at most one for each job.
      const arrived = receiver.requests.map(({ path }) => path);
      assert.ok(arrived.length <= 12 + 4, `${arrived.length} requests`);
      assert.deepEqual(
        ids.map((id) => arrived.filter((path) => path === `/pick/${id}`).length),
        [1, 1, 1, 1],
      );
    });

    it('keeps a job whose handler computes for longer than a lease', async () => {
      await using scene = await Scene.start();
      await using other = await HandlerProcess.start(place.of(scene));
      const job = await run(scene, { handler: 'grind', input: { ms: 6_000 } });
      assert.deepEqual(
        [job.status, job.result, job.lost_leases, job.completed_by],
        ['completed', 'ground', 0, other.node],
      );
    });

    it('tries a failed attempt again without its runs, and not one that says it is hopeless', async () => {
      await using receiver = await Receiver.start();
      await using scene = await Scene.start();
      await using handlers = await HandlerProcess.start(place.of(scene));
      const stubborn = await run(scene, { handler: 'stubborn', input: { receiver: receiver.url }, backoff: quick });
      assert.deepEqual([stubborn.status, stubborn.result, stubborn.attempt], ['completed', 3, 3]);
      assert.equal(receiver.requests.length, 1);
      const hopeless = await run(scene, { handler: 'hopeless', backoff: quick });
      assert.deepEqual([hopeless.status, hopeless.attempt, hopeless.attempts_max], ['failed', 1, 3]);
      assert.match(hopeless.error?.message ?? '', /NonRetryableError: there is no such address/);
      assert.equal(handlers.node, hopeless.completed_by);
    });
  });
}

describe('a worker of handlers', () => {
  it('tells a handler that its job was cancelled, and leaves the job of no handler alone', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using scene = await Scene.start();
    await using handlers = await HandlerProcess.start({ url: scene.cluster.url });
    const { job_id: unknown } = await scene.client.publish({ handler: 'nobody-has-it' });
    const { job_id: id } = await scene.client.publish({ handler: 'patient' });
    await scene.until(id, (job) => job.claimed_by === handlers.node, signal);
    await scene.client.cancel(id, { reason: 'enough' });
    const ended = await scene.client.wait(id, { signal });
    assert.deepEqual([ended.status, ended.error?.message], ['cancelled', 'enough']);
    const why = await scene.client.why(unknown);
    assert.equal(why.reasons[0]?.code, 'no-worker');
  });

  it('leaves its worker for a long sleep, and gives back what it can not end when it drains', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using scene = await Scene.start();
    await using first = await HandlerProcess.start({ url: scene.cluster.url });
    const { job_id: nap } = await scene.client.publish({ handler: 'nap', input: { ms: 12_000 } });
    await scene.until(nap, (job) => job.status === 'waiting', signal);
    const { job_id: patient } = await scene.client.publish({ handler: 'patient' });
    await scene.until(patient, (job) => job.claimed_by === first.node, signal);
    assert.equal(await first.drain(), 0);
    assert.equal((await scene.client.status(patient)).status, 'pending');
    await using second = await HandlerProcess.start({ url: scene.cluster.url });
    const rested = await scene.client.wait(nap, { signal });
    assert.deepEqual([rested.status, rested.result, rested.completed_by], ['completed', 'rested', second.node]);
    await scene.client.cancel(patient);
    await scene.client.wait(patient, { signal });
  });
});

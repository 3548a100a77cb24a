import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 180_000;

describe('leases that nobody keeps', () => {
  it('run out when the answer of a claim was lost, and the jobs run elsewhere', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start();
    await using scene = await Scene.start();
    await scene.deploy('probe');
    const ids = await scene.publish([1, 2, 3].map(() => ({ workflow: 'probe/ask', input: { url: receiver.url } })));

    // The claim is applied; whoever asked never heard of it and so never names the leases in a heartbeat.
    const body = JSON.stringify({ worker: 'deaf', incarnation: 'only-one', capacity: 3 });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${scene.cluster.url}/peer/claim`, { method: 'POST', headers, body });
    assert.equal(answer.status, 200);
    await answer.body?.cancel();
    const worker = await scene.cluster.addWorker();
    const ended = await scene.allEnded(ids, signal);

    for (const job of ended) {
      assert.equal(job.status, 'completed');
      assert.equal(job.completed_by, worker.field('node'));
      assert.deepEqual([job.epoch, job.lost_leases], [2, 1]);
    }
    assert.equal(receiver.requests.length, 3);
  });

  it('run out when a worker restarts with its old key: it is another process', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    const data = await mkdtemp(join(tmpdir(), 'mvm-ci-worker-'));
    try {
      await using receiver = await Receiver.start();
      await using scene = await Scene.start();
      await scene.deploy('probe');
      const before = await scene.cluster.addWorker({ data });
      const input = { url: receiver.url, times: 10, pauseMs: 200 };
      const ids = await scene.publish([1, 2].map(() => ({ workflow: 'probe/keepAsking', input })));
      await Promise.all(ids.map((id) => scene.until(id, (job) => job.journal_entries >= 5, signal)));
      await scene.cluster.removeWorker(before);
      const after = await scene.cluster.addWorker({ data });
      const ended = await scene.allEnded(ids, signal);

      assert.equal(after.field('node'), before.field('node'));
      for (const job of ended) assert.deepEqual([job.status, job.epoch, job.lost_leases], ['completed', 2, 1]);
    } finally {
      await rm(data, { recursive: true, force: true });
    }
  });

  it('put a job that kills its worker every time into the dead letters, and the others finish', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    const poison = Promise.withResolvers<Scene>();
    // The job asks this server for something, and that something is its worker's death.
    await using receiver = await Receiver.start((request, respond) => {
      if (!request.path.startsWith('/deadly')) return respond(200, 'ok');
      const id = request.key.split(':')[0] ?? '';
      poison.promise.then((scene) => killHolder(scene, id)).catch(() => respond(500, 'no holder'));
    });
    await using scene = await Scene.start({ workers: 1, slots: 4 });
    poison.resolve(scene);
    await scene.deploy('probe');
    const [deadly = ''] = await scene.publish([{ workflow: 'probe/ask', input: { url: `${receiver.url}/deadly` } }]);
    const good = await scene.publish(
      Array.from({ length: 10 }, () => ({ workflow: 'probe/ask', input: { url: `${receiver.url}/harmless` } })),
    );
    const dead = await scene.ended(deadly, signal);
    const others = await scene.allEnded(good, signal);

    assert.equal(dead.status, 'failed');
    assert.equal(dead.error?.code, 'WORKER_KILLER');
    assert.equal(dead.lost_leases, 5);
    assert.ok(others.every((job) => job.status === 'completed'));
  });
});

const killHolder = async (scene: Scene, id: string): Promise<void> => {
  const { claimed_by } = await scene.client.status(id);
  const holder = scene.cluster.worker(claimed_by);
  if (!holder) throw new Error(`nobody holds ${id}`);
  await scene.cluster.removeWorker(holder);
  await scene.cluster.addWorker({ slots: 4 });
};

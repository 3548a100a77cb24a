import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isFinal, type PublishJob } from '@mvm-ci/protocol';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const crashes = 3;
const jobsPerRound = 40;
/** Long, so that no lease is lost but by the crash: a busy machine may stand still for longer than the default. */
const leaseMs = 8_000;
const deadlineMs = 300_000;

describe('a control plane killed under load', () => {
  it('loses nothing that it acknowledged, and its workers keep their leases', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start();
    await using scene = await Scene.start({ workers: 3, slots: 8, controlPlaneArgs: ['--lease-ms', `${leaseMs}`] });
    await scene.deploy('probe');
    const job: PublishJob = { workflow: 'probe/keepAsking', input: { url: receiver.url, times: 20, pauseMs: 100 } };

    const acknowledged: string[] = [];
    const kept: { readonly id: string; readonly epoch: number }[] = [];
    for (let crash = 0; crash < crashes; crash += 1) {
      acknowledged.push(...(await scene.publish(Array.from({ length: jobsPerRound }, () => job))));
      const running = await someRunning(scene, signal);
      kept.push(...running);
      const publishing = publishThrough(scene, job);
      await scene.cluster.crashControlPlane();
      acknowledged.push(...(await publishing));
    }
    const ended = await scene.allEnded(acknowledged, signal);

    assert.equal(ended.length, acknowledged.length, 'an acknowledged job is gone');
    assert.deepEqual(new Set(ended.map((view) => view.status)), new Set(['completed']));
    assert.ok(kept.length >= crashes * 8, `only ${kept.length} jobs ran at a crash: too little happened`);
    const epochs = new Map(ended.map((view) => [view.job_id, view.epoch]));
    for (const { id, epoch } of kept) assert.equal(epochs.get(id), epoch, `job ${id} lost its lease in the restart`);
    // A machine that stands still for two seconds costs leases too; each job has one request in flight at a time.
    const keys = receiver.requests.map((request) => request.key);
    const effects = new Set(keys).size;
    const lostLeases = ended.reduce((sum, view) => sum + view.lost_leases, 0);
    assert.equal(effects, acknowledged.length * 20);
    assert.ok(
      keys.length - effects <= lostLeases,
      `${keys.length - effects} sent again, ${lostLeases} leases were lost`,
    );
  });

  it('answers a request that is sent again as it answered the first time', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start();
    await using scene = await Scene.start({ workers: 1 });
    await scene.deploy('probe');
    const job: PublishJob = { job_id: 'sent-twice', workflow: 'probe/ask', input: { url: receiver.url } };

    const first = await scene.client.publish(job);
    await scene.cluster.crashControlPlane();
    const second = await scene.client.publish(job);

    assert.deepEqual([first.created, second.created], [true, false]);
    assert.equal((await scene.ended('sent-twice', signal)).status, 'completed');
    assert.equal(receiver.requests.length, 1);
  });
});

/** Waits until several jobs are in the middle. @returns them with their epochs */
const someRunning = async (scene: Scene, signal: AbortSignal): Promise<{ id: string; epoch: number }[]> => {
  const running = new Map<string, number>();
  for await (const view of scene.client.events({ after: 0, signal })) {
    if (isFinal(view.status)) running.delete(view.job_id);
    else if (view.status === 'in_progress' && view.journal_entries > 4) running.set(view.job_id, view.epoch);
    if (running.size >= 12) break;
  }
  return [...running].map(([id, epoch]) => ({ id, epoch }));
};

/** Publishes one job after another while the control plane goes down and comes back. @returns those it acknowledged */
const publishThrough = async (scene: Scene, job: PublishJob): Promise<readonly string[]> => {
  const acknowledged: string[] = [];
  for (let index = 0; index < 10; index += 1) {
    const published = await scene.client.publish(job).catch(() => undefined);
    if (published) acknowledged.push(published.job_id);
  }
  return acknowledged;
};

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EffectAudit } from '@mvm-ci/testkit';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const jobs = 6;
const deadlineMs = 180_000;

describe('a worker paused past its lease', () => {
  it('is refused with STALE_LEASE when it wakes, and its jobs were finished by another, once', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start();
    await using scene = await Scene.start({ workers: 1, slots: jobs });
    await scene.deploy('probe');
    const [paused] = scene.cluster.workers;
    assert.ok(paused);
    const input = { url: receiver.url, times: 12, pauseMs: 150 };
    const ids = await scene.publish(Array.from({ length: jobs }, () => ({ workflow: 'probe/keepAsking', input })));
    await Promise.all(ids.map((id) => scene.until(id, (job) => job.journal_entries >= 6, signal)));

    const audit = new EffectAudit();
    const pausedAtMs = Date.now();
    paused.signal('SIGSTOP');
    // At once: on a busy machine its leases run out before another worker has started.
    const held = await scene.heldBy(paused);
    const other = await scene.cluster.addWorker();
    audit.noteKill(pausedAtMs, await Promise.all(held.map((job) => scene.client.journal(job.job_id))));
    const ended = await scene.allEnded(ids, signal);
    paused.signal('SIGCONT');
    await paused.says('STALE_LEASE', signal);

    assert.equal(held.length, jobs, 'the worker was paused too late: too little happened');
    for (const job of ended) {
      assert.equal(job.status, 'completed');
      assert.equal(job.completed_by, other.field('node'));
      assert.equal(job.epoch, 2);
      assert.deepEqual(await scene.client.status(job.job_id), job, 'the woken worker changed a finished job');
    }
    const verdict = audit.judge(receiver.requests);
    assert.deepEqual(verdict.duplicated, []);
    assert.ok(verdict.resent <= verdict.inFlight);

    await other.stop();
    const [later = ''] = await scene.publish([{ workflow: 'probe/ask', input: { url: receiver.url } }]);
    assert.equal((await scene.ended(later, signal)).completed_by, paused.field('node'), 'the woken worker works on');
  });
});

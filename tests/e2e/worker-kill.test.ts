import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isFinal, type JobView } from '@mvm-ci/protocol';
import { EffectAudit, startSite, type AuditedJournal } from '@mvm-ci/testkit';
import { Scene } from './scene.ts';
import { unexplained } from './stalls.ts';

/** Published at first, and again when most are over before enough workers were killed. */
const jobs = 100;
const killsMin = 4;
/** Of one job of the crawler. */
const requestsAtOnce = 4;
const deadlineMs = 300_000;

describe('workers killed at random moments', () => {
  it('lose no job, repeat no recorded effect, and change no result', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using site = await startSite({ slowMs: 200 });
    await using scene = await Scene.start({ workers: 3, slots: 8 });
    await scene.deploy('crawler');
    const crawl = { workflow: 'crawler', input: { url: site.url, maxPages: 10, pauseMs: 40 } };

    const [calm = ''] = await scene.publish([crawl]);
    const undisturbed = await scene.ended(calm, signal);
    assert.equal(undisturbed.status, 'completed', JSON.stringify(undisturbed.error));

    const audit = new EffectAudit();
    const publish = (): Promise<readonly string[]> => scene.publish(Array.from({ length: jobs }, () => crawl));
    const { ids, killed } = await killWhileRunning({ scene, audit, publish, signal });
    const ended = await scene.allEnded(ids, signal);

    assert.deepEqual(
      countBy(ended, (job) => job.status),
      { completed: ids.length },
    );
    for (const job of ended) assert.deepEqual(job.result, undisturbed.result);
    assert.ok(
      ended.some((job) => job.resumes > 0),
      'no job was resumed: too little happened',
    );

    const verdict = audit.judge(site.arrivals());
    assert.deepEqual(unexplained(verdict.duplicated, { killed, ended, requestsAtOnce }), []);
    assert.ok(verdict.resent <= verdict.inFlight, `${verdict.resent} resent, ${verdict.inFlight} were in flight`);
    await assertAnsweredOnce(scene, ids);
  });
});

/**
 * Kills a worker each time some more jobs have changed, and starts another in its place, until most jobs are over and enough kills
 * hit a worker with jobs in the middle.
 */
const killWhileRunning = async (run: {
  readonly scene: Scene;
  readonly audit: EffectAudit;
  readonly publish: () => Promise<readonly string[]>;
  readonly signal: AbortSignal;
}): Promise<{ readonly ids: readonly string[]; readonly killed: readonly AuditedJournal[] }> => {
  const { scene, audit, publish, signal } = run;
  const ids = new Set(await publish());
  const killed: AuditedJournal[] = [];
  const over = new Set<string>();
  let kills = 0;
  let changesLeft = 60;
  for await (const job of scene.client.events({ after: 0, signal })) {
    if (ids.has(job.job_id) && isFinal(job.status)) over.add(job.job_id);
    if (over.size >= ids.size * 0.8) {
      if (kills >= killsMin) break;
      for (const id of await publish()) ids.add(id);
    }
    changesLeft -= 1;
    if (changesLeft > 0) continue;
    changesLeft = 100 + Math.floor(Math.random() * 300);
    const victim = scene.cluster.workers[Math.floor(Math.random() * scene.cluster.workers.length)];
    if (!victim) throw new Error('no worker is left');
    const journals = await scene.killWorker(victim, audit);
    killed.push(...journals);
    if (journals.some((journal) => journal.entries.length > 1)) kills += 1;
    await scene.cluster.addWorker();
  }
  return { ids: [...ids], killed };
};

const assertAnsweredOnce = async (scene: Scene, ids: readonly string[]): Promise<void> => {
  for (const id of ids) {
    const { entries } = await scene.client.journal(id);
    const calls = entries.filter((entry) => entry.kind === 'answered').map((entry) => entry['call']);
    assert.equal(new Set(calls).size, calls.length, `job ${id} has a call that was answered twice`);
    assert.equal(entries.at(-1)?.kind, 'completed');
  }
};

const countBy = (all: readonly JobView[], key: (job: JobView) => string): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(all, key)].map(([name, those]) => [name, those.length]));

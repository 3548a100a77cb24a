import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PublishJob } from '@mvm-ci/protocol';
import { mvmCi } from './command.ts';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 300_000;
const workers = 3;
const times = 8;

describe('everything restarted one after another, under load', () => {
  it('loses no job, fails no request, and hands over what the drained workers held', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start();
    await using scene = await Scene.start({ workers, slots: 6 });
    await scene.deploy('probe');
    const load = new Load(scene, { workflow: 'probe/keepAsking', input: { url: receiver.url, times, pauseMs: 400 } });

    for (const worker of scene.cluster.workers) {
      await load.reaches(15);
      const drained = await mvmCi(
        ['drain', worker.field('node'), '--grace', '1s', '--wait', '--url', scene.cluster.url],
        signal,
      );
      assert.equal(drained.code, 0, drained.stderr);
      assert.match(drained.stdout, /has drained/);
      assert.equal(await worker.exited, 0);
      await scene.cluster.removeWorker(worker);
      await scene.cluster.addWorker();
    }
    await load.reaches(15);
    assert.equal(await scene.cluster.controlPlane.stop(), 0);
    await scene.cluster.startControlPlane();
    await load.reaches(15);
    const published = await load.end();

    const ended = await scene.allEnded(published, signal);
    assert.deepEqual(new Set(ended.map(({ status }) => status)), new Set(['completed']));
    const resumed = ended.filter(({ resumes }) => resumes > 0).length;
    assert.ok(resumed >= workers, `${resumed} jobs went on elsewhere: too little happened`);
    // Only a machine that stands still costs leases.
    const keys = receiver.requests.map(({ key }) => key);
    const lost = ended.reduce((sum, job) => sum + job.lost_leases, 0);
    assert.equal(new Set(keys).size, published.length * times);
    assert.ok(keys.length - new Set(keys).size <= lost, `${keys.length} requests, ${lost} leases were lost`);
  });
});

/** Publishes one job after another, until it is told to end. */
class Load {
  readonly #published: string[] = [];
  readonly #publishing: Promise<void>;
  #isOver = false;
  #target = Promise.withResolvers<void>();
  #targetCount = Infinity;

  constructor(scene: Scene, job: PublishJob) {
    this.#publishing = this.#run(scene, job);
  }

  /** Resolves when so many more jobs have been published. Rejects when a publish failed. */
  async reaches(more: number): Promise<void> {
    this.#target = Promise.withResolvers();
    this.#targetCount = this.#published.length + more;
    await Promise.race([this.#target.promise, this.#publishing]);
  }

  /** Publishes no more. @returns the ids of all */
  async end(): Promise<readonly string[]> {
    this.#isOver = true;
    await this.#publishing;
    return this.#published;
  }

  async #run(scene: Scene, job: PublishJob): Promise<void> {
    while (!this.#isOver) {
      this.#published.push((await scene.client.publish(job)).job_id);
      if (this.#published.length >= this.#targetCount) this.#target.resolve();
      // As fast as the jobs are run, or the queue would only grow.
      if ((await scene.client.stats()).pending > 12) await nextChange(scene);
    }
  }
}

/** Resolves with the next change of any job, or soon. */
const nextChange = async (scene: Scene): Promise<void> => {
  for await (const job of scene.client.events({ signal: AbortSignal.timeout(200) })) if (job.change > 0) return;
};

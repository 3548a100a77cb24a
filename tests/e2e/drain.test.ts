import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeModule } from '@mvm-ci/protocol';
import { workflowModule } from '@mvm-ci/testkit';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const orders = 20;
/** The order that is in flight when the grace time is over. */
const slowOrder = 8;
const graceMs = 100;
/** Longer than the grace, and not longer than what requests in flight get beyond it. */
const slowMs = 1_000;
const deadlineMs = 120_000;
/** Orders that must not be sent twice: none of them says that it is idempotent. */
const body = `
  const answers = [];
  for (let order = 1; order <= ${orders}; order += 1) {
    const answer = await get(input.url + '/order/' + order, { method: 'POST' });
    answers.push(answer.fetched?.status ?? answer.error.code);
  }
  return answers;`;

describe('a worker that drains', { timeout: deadlineMs }, () => {
  it('lets a request that must not be sent twice end before it gives the job back', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start(({ path }, respond) => {
      const isSlow = path.endsWith(`/order/${slowOrder}`);
      setTimeout(() => respond(200, path), isSlow ? slowMs : 10);
    });
    await using scene = await Scene.start({ workers: 1 });
    await scene.client.deploy({ name: 'orders', version: '1', file: encodeModule(workflowModule(body)) });
    const [id = ''] = await scene.publish([{ workflow: 'orders', input: { url: receiver.url } }]);
    await receiver.arrivals(1, ({ path }) => path.endsWith(`/order/${slowOrder}`));
    const [worker] = scene.cluster.workers;
    assert.ok(worker);
    await scene.client.drainNode(worker.field('node'), { graceMs });
    assert.equal(await worker.exited, 0);
    assert.equal((await scene.client.stats()).workers, 0, 'a worker that has left counts as present');
    await scene.cluster.addWorker();
    const ended = await scene.ended(id, signal);

    assert.deepEqual(
      [ended.status, ended.attempt, ended.resumes, ended.lost_leases],
      ['completed', 1, 1, 0],
      JSON.stringify(ended.error),
    );
    assert.deepEqual(
      ended.result,
      Array.from({ length: orders }, () => 200),
    );
    assert.equal(receiver.requests.length, orders, 'each order came once');
  });
});

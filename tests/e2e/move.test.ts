/** A running job is moved to another worker by hand: nothing that it did is done again, and it goes on from a snapshot. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { encodeModule } from '@mvm-ci/protocol';
import { workflowModule } from '@mvm-ci/testkit';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const orders = 150;
/** The order whose answer is held back until the job was asked to move; the ones after it take longer than a heartbeat. */
const heldOrder = 100;
const answerMs = 60;
const deadlineMs = 120_000;
/** Orders that must not be sent twice: none of them says that it is idempotent. */
const body = `
  const counts = [];
  for (let order = 1; order <= ${orders}; order += 1) {
    const answer = await get(input.url + '/order/' + order, { method: 'POST' });
    counts.push(answer.fetched?.status ?? answer.error.code);
  }
  return { orders: counts.length, answered: counts.filter((status) => status === 200).length, drawn: Math.random() };`;

for (const engine of ['embedded', 'peer', 'remote', 'pool'] as const)
  describe(`a running job whose engine is \`${engine}\``, { timeout: deadlineMs }, () => {
    const signal = AbortSignal.timeout(deadlineMs);
    let scene: Scene;
    before(async () => {
      scene = await Scene.start({ workers: 1, engine });
      await scene.cluster.addWorker({ name: 'target', args: ['--tags', 'target'] });
      await scene.client.deploy({ name: 'orders', version: '1', file: encodeModule(workflowModule(body)) });
    });
    /** Whoever is ready has not asked for jobs yet. */
    const targetHasAsked = async (): Promise<void> => {
      await using receiver = await Receiver.start();
      const [id = ''] = await scene.publish([
        { workflow: 'orders', input: { url: receiver.url }, requires: ['target'] },
      ]);
      await scene.ended(id, signal);
    };
    after(() => scene[Symbol.asyncDispose]());

    it('that is moved lets what is in flight end, goes on at the other worker, and repeats nothing', async () => {
      await targetHasAsked();
      const answers: (() => void)[] = [];
      await using receiver = await Receiver.start(({ path }, respond) => {
        const order = Number(path.split('/').at(-1));
        if (order === heldOrder) answers.push(() => respond(200, path));
        else if (order < heldOrder) respond(200, path);
        else setTimeout(() => respond(200, path), answerMs);
      });
      const [id = ''] = await scene.publish([{ workflow: 'orders', input: { url: receiver.url } }]);
      await receiver.arrivals(1, ({ path }) => path === `/order/${heldOrder}`);
      const [first, second] = scene.cluster.workers;
      const source = (await scene.client.status(id)).claimed_by;
      const target = source === first?.ready['node'] ? second : first;
      assert.equal((await scene.client.move(id, { worker: String(target?.ready['node']) })).status, 'in_progress');
      answers[0]?.();
      const ended = await scene.ended(id, signal);
      assert.deepEqual([ended.status, ended.attempt, ended.lost_leases], ['completed', 1, 0]);
      assert.partialDeepStrictEqual(ended.result, { orders, answered: orders });
      assert.equal(ended.claimed_by, target?.ready['node']);
      assert.equal(receiver.requests.length, orders, 'each order came once');
      assert.equal(new Set(receiver.requests.map(({ key }) => key)).size, orders);
      await assert.rejects(scene.client.move(id, { worker: String(source) }), { code: 'INVALID_TRANSITION' });
    });

    // Where it runs makes no difference.
    if (engine === 'embedded')
      it('is not moved to a worker that is unknown, runs it already, or may not have it', async () => {
        await using receiver = await Receiver.start(() => undefined);
        const tags = { requires: ['target'] };
        const [id = ''] = await scene.publish([{ workflow: 'orders', input: { url: receiver.url }, ...tags }]);
        await receiver.arrivals(1);
        await assert.rejects(scene.client.move(id, { worker: 'nobody' }), { code: 'NODE_NOT_FOUND' });
        await assert.rejects(scene.client.move('none', { worker: 'target' }), { code: 'JOB_NOT_FOUND' });
        await assert.rejects(scene.client.move(id, { worker: 'target' }), {
          code: 'INVALID_TRANSITION',
          message: /runs there already/,
        });
        await assert.rejects(scene.client.move(id, { worker: 'worker-1' }), {
          code: 'WORKER_UNSUITABLE',
          message: /lacks the tags target/,
        });
        await scene.client.cancel(id);
        await scene.ended(id, signal);
      });
  });

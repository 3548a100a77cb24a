/**
 * Jobs that wait, through a real cluster: sleeps, messages, children. Their workflow is written by hand against the step
 * machine's protocol, so that nothing but the cluster is under test.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeModule, type JobView } from '@mvm-ci/protocol';
import { workflowModule } from '@mvm-ci/testkit';
import { mvmCi, type CommandResult } from './command.ts';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 180_000;

/** What the workflow does is in its input. */
const family = workflowModule(`
  const start = (input, more = {}) => call({ type: 'start', job: null, workflow: 'family', input, attemptsMax: 1, detached: false, ...more });
  const receive = (types) => call({ type: 'receive', types });
  switch (input.act) {
    case 'sleep':
      await sleep(input.ms);
      return 'slept';
    case 'ask': {
      const { fetched } = await get(input.url + '/' + job.job);
      return fetched.status;
    }
    case 'approve': {
      emit({ type: 'respond', value: { asked: true } });
      const { message } = await receive(['approved', 'refused']);
      return [message.messageType, message.data];
    }
    case 'parent': {
      const children = [];
      for (const n of [1, 2, 3]) children.push((await start({ act: 'ask', url: input.url })).started.job);
      const ends = [];
      for (const child of children) ends.push((await call({ type: 'join', job: child })).joined);
      return ends;
    }
    case 'orphans': {
      await start({ act: 'approve' });
      await start({ act: 'sleep', ms: 1 }, { workflow: 'nobody' }).then((answer) => emit({ type: 'log', level: 'info', text: answer.error.code }));
      await receive(['never']);
    }
  }
`);

const startScene = async (options: Parameters<typeof Scene.start>[0]): Promise<Scene> => {
  const scene = await Scene.start(options);
  await scene.client.deploy({ name: 'family', version: '1', file: encodeModule(family) });
  return scene;
};

const publish = async (scene: Scene, input: unknown): Promise<string> =>
  (await scene.client.publish({ workflow: 'family', input })).job_id;

const isWaiting = (job: JobView): boolean => job.status === 'waiting';

describe('a job that waits', () => {
  it('holds no slot while it sleeps, and wakes by itself', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start();
    await using scene = await startScene({ workers: 1, slots: 1 });
    const sleeper = await publish(scene, { act: 'sleep', ms: 6_000 });
    const asleep = await scene.until(sleeper, isWaiting, signal);
    assert.ok(asleep.run_at_ms !== null && asleep.run_at_ms >= asleep.created_at_ms + 6_000);

    const other = await scene.ended(await publish(scene, { act: 'ask', url: receiver.url }), signal);
    assert.equal(other.status, 'completed');
    assert.equal((await scene.client.status(sleeper)).status, 'waiting', 'the sleeper held the only slot');

    const awake = await scene.ended(sleeper, signal);
    assert.deepEqual([awake.status, awake.result, awake.lost_leases], ['completed', 'slept', 0]);
    assert.ok(awake.updated_at_ms >= awake.created_at_ms + 6_000);
  });

  it('is told a message that the command line sends, and has answered before that', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using scene = await startScene({ workers: 1 });
    const id = await publish(scene, { act: 'approve' });
    const responded = await scene.client.waitForResponse(id, { signal });
    assert.deepEqual(responded.response, { value: { asked: true } });
    await scene.until(id, isWaiting, signal);

    const send = (...args: readonly string[]): Promise<CommandResult> =>
      mvmCi(['send', id, ...args, '--url', scene.cluster.url], signal);
    const notes = [/message 1 is in the inbox/, /had this message already, as number 1/];
    for (const note of notes) assert.match((await send('unrelated', '0', '--id', 'u1')).stdout, note);
    assert.match((await send('approved', 'not JSON')).stderr, /INVALID_JSON/);
    assert.match((await send('approved', '{"by":"ann"}')).stdout, /message 2 is in the inbox/);
    const ended = await scene.ended(id, signal);
    assert.deepEqual([ended.status, ended.result], ['completed', ['approved', { by: 'ann' }]]);
    await assert.rejects(scene.client.send(id, { type: 'approved' }), { code: 'INVALID_TRANSITION' });
  });

  it('is told a message also while a worker has it in memory', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using scene = await startScene({ workers: 1 });
    const ids = await Promise.all(Array.from({ length: 20 }, () => publish(scene, { act: 'approve' })));
    for (const id of ids) {
      await scene.client.waitForResponse(id, { signal });
      await scene.client.send(id, { type: 'refused', data: id });
    }
    for (const job of await scene.allEnded(ids, signal)) assert.deepEqual(job.result, ['refused', job.job_id]);
  });
});

describe('a job that starts others', () => {
  it('waits for them without the slot that they need, also when the worker dies in the middle', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    const held: (() => void)[] = [];
    await using receiver = await Receiver.start(({ path }, respond) => held.push(() => respond(200, path)));
    await using scene = await startScene({ workers: 1, slots: 1 });
    const parent = await publish(scene, { act: 'parent', url: receiver.url });
    await receiver.arrivals(1);
    assert.equal((await scene.client.status(parent)).status, 'waiting');

    for (const worker of scene.cluster.workers) await scene.cluster.removeWorker(worker);
    await scene.cluster.addWorker();
    // The request that was in flight is sent again; after it, each child sends one.
    for (let arrived = 2; arrived <= 4; arrived += 1) {
      await receiver.arrivals(arrived);
      held[arrived - 1]?.();
    }
    const ended = await scene.ended(parent, signal);
    assert.equal(ended.status, 'completed', JSON.stringify(ended.error));
    assert.deepEqual(
      ended.result,
      [1, 2, 3].map(() => ({ type: 'completed', result: 200 })),
    );

    const children = await scene.client.children(parent);
    assert.deepEqual(
      children.map(({ parent: of, status, journal_entries }) => [of, status, journal_entries]),
      [1, 2, 3].map(() => [parent, 'completed', 5]),
    );
    // Only what was in flight came twice, under the same key.
    assert.equal(receiver.requests.length, 4);
    assert.equal(new Set(receiver.requests.map(({ key }) => key)).size, 3);
  });

  it('takes them along when it is cancelled, and hears why one could not be started', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using scene = await startScene({ workers: 1 });
    const parent = await publish(scene, { act: 'orphans' });
    await scene.until(parent, isWaiting, signal);
    const [child] = await scene.client.children(parent);
    assert.ok(child);
    await scene.until(child.job_id, isWaiting, signal);
    const logs = await scene.client.logs(parent);
    assert.deepEqual(
      logs.map(({ text }) => text),
      ['MODULE_NOT_FOUND'],
    );

    await scene.client.cancel(parent);
    const ended = await scene.ended(child.job_id, signal);
    assert.equal(ended.status, 'cancelled');
    assert.match(ended.error?.message ?? '', new RegExp(`its parent, attempt 1 of job ${parent}, is over`));
  });
});

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Scene } from './scene.ts';

const deadlineMs = 120_000;

describe('children with options of the queue', { timeout: 2 * deadlineMs }, () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start({ workers: 1 });
    await scene.deploy('family');
  });
  after(() => scene[Symbol.asyncDispose]());

  it('stand in their queue for workers that may run them, and are the same after the parent went on elsewhere', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    const [parent = ''] = await scene.publish([{ workflow: 'family/parent' }]);
    await scene.until(parent, ({ status }) => status === 'waiting', signal);
    const children = await scene.client.children(parent);
    assert.deepEqual(
      children.map(({ status, queue, key, priority, requires, tags }) => [
        status,
        queue,
        key,
        priority,
        requires,
        tags,
      ]),
      [1, 2].map(() => ['pending', 'heavy', 'tenant-1', 5, ['gpu'], ['of-a-child']]),
    );
    const why = JSON.stringify(await scene.client.why(String(children[0]?.job_id)));
    assert.match(why, /gpu/);

    const [first] = scene.cluster.workers;
    assert.ok(first);
    await scene.cluster.removeWorker(first);
    await scene.cluster.addWorker({ args: ['--tags', 'gpu'] });
    const ended = await scene.ended(parent, signal);
    assert.deepEqual([ended.status, ended.result], ['completed', [10, 20]], JSON.stringify(ended.error));
    assert.ok(ended.resumes > 0, 'the parent did not go on elsewhere');
    assert.equal((await scene.client.children(parent)).length, 2);
  });

  it('fail when their own time is over, which their parent is told', async () => {
    const [job = ''] = await scene.publish([{ workflow: 'family/impatient' }]);
    const ended = await scene.ended(job, AbortSignal.timeout(deadlineMs));
    assert.equal(ended.status, 'failed');
    assert.match(JSON.stringify(ended.error), /JOB_TIMEOUT/);
  });

  it('must have options that a publisher may give', async () => {
    const [job = ''] = await scene.publish([{ workflow: 'family/presumptuous' }]);
    const ended = await scene.ended(job, AbortSignal.timeout(deadlineMs));
    assert.equal(ended.status, 'failed');
    assert.match(JSON.stringify(ended.error), /WORKFLOW_FAILED.*TypeError: the option priority/);
  });
});

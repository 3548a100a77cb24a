import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 120_000;

describe('a workflow whose code reads differently on replay', () => {
  it('stops with NONDETERMINISM, naming the entry, what was recorded and what came', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    // The second answer never comes: the job stays in the middle until its worker is killed.
    await using receiver = await Receiver.start(({ path }, respond) => {
      if (path === '/first') respond(200, path);
    });
    await using scene = await Scene.start({ workers: 1 });
    await scene.deploy('changed-v1');
    const other = await scene.deploy('changed-v2');
    const [id = ''] = await scene.publish([{ workflow: 'changed@1.0.0', input: { url: receiver.url } }]);
    await receiver.arrivals(1, ({ path }) => path === '/second');

    const [worker] = scene.cluster.workers;
    assert.ok(worker);
    await scene.cluster.removeWorker(worker);
    await scene.cluster.controlPlane.stop();
    pinTo(other, join(scene.cluster.data, 'control.db'), id);
    await scene.cluster.startControlPlane();
    await scene.cluster.addWorker();
    const ended = await scene.ended(id, signal);

    assert.equal(ended.status, 'failed');
    assert.equal(ended.error?.code, 'NONDETERMINISM');
    assert.match(ended.error.message, /entry 1\b/);
    assert.match(ended.error.message, /\/first/);
    assert.match(ended.error.message, /\/premier/);
    const paths = receiver.requests.map(({ path }) => path);
    assert.deepEqual(paths, ['/first', '/second'], 'an effect was done for code that does not fit the journal');
  });
});

/** Does what no command of the system does: moves a started job to other code. */
const pinTo = (hash: string, file: string, id: string): void => {
  const database = new DatabaseSync(file);
  try {
    const { changes } = database
      .prepare('update content set module = ? where number = (select number from jobs where id = ?)')
      .run(hash, id);
    assert.equal(changes, 1);
  } finally {
    database.close();
  }
};

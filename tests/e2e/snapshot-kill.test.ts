/**
 * SIGKILL around the storing of snapshots, by real processes: the engine takes one after every 1,000 entries, so a kill a few requests
 * after such a place hits a snapshot that is being taken, is on its way, is being stored, or has just been.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import { examineData } from '@mvm-ci/control';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 240_000;
/** Each asks once and sleeps once: four entries. */
const loopsPerSnapshot = 250;
const kills = 6;
const times = loopsPerSnapshot * (kills + 1);
/** Requests behind such a place within which the kill comes. */
const spread = 16;

const storedSnapshots = (data: string): readonly number[] => {
  using db = new DatabaseSync(join(data, 'control.db'), { readOnly: true });
  const rows = db.prepare('SELECT entries FROM snapshots').all();
  return rows.map(({ entries }) => Number(entries));
};

const killWorker = async ({ cluster }: Scene): Promise<void> => {
  for (const worker of cluster.workers) await cluster.removeWorker(worker);
  await cluster.addWorker();
};

describe('a kill while a snapshot is stored', () => {
  it('costs time and nothing else, whoever is killed: no half snapshot is there, and none is left', async (t) => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start();
    const controlPlaneArgs = ['--lease-ms', '750', '--heartbeat-ms', '200'];
    await using scene = await Scene.start({ workers: 1, controlPlaneArgs });
    const { data } = scene.cluster;
    await scene.deploy('probe');
    const input = { url: receiver.url, times, pauseMs: 0 };
    const [id = ''] = await scene.publish([{ workflow: 'probe/keepAsking', input }]);

    const seen: number[] = [];
    for (let kill = 1; kill <= kills; kill += 1) {
      const at = kill * loopsPerSnapshot + Math.floor(Math.random() * spread);
      await receiver.arrivals(1, ({ path }) => path === `/?n=${at}`);
      if (kill % 2 === 0) await scene.cluster.controlPlane.kill();
      else await killWorker(scene);
      assert.deepEqual((await examineData(data)).findings, [], `after kill ${kill}, at request ${at}`);
      seen.push(...storedSnapshots(data));
      if (kill % 2 === 0) await scene.cluster.startControlPlane();
    }
    const { result, epoch } = await scene.ended(id, signal);

    t.diagnostic(`snapshots of ${seen.join(', ')} entries were stored at the kills`);
    assert.equal(result, times);
    assert.ok(seen.length > 0, 'no snapshot was ever stored');
    assert.ok(epoch > kills / 2, `only ${epoch} workers held it: too little happened`);
    const keys = receiver.requests.map(({ key }) => key);
    assert.equal(new Set(keys).size, times);
    assert.deepEqual(storedSnapshots(data), []);
    assert.deepEqual((await examineData(data)).findings, []);
  });
});

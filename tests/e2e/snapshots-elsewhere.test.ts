/** Snapshots of jobs whose engine is not their worker's, by real processes. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import type { EngineOption } from '@mvm-ci/testkit';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 120_000;
const times = 400;
/** Each loop has four entries, and the engine takes a snapshot after 1,000. */
const heldAt = 300;

/** Entries whose steps were taken again, in all engine servers. */
const replayedEntries = async ({ cluster }: Scene): Promise<number> => {
  const counts = await Promise.all(
    cluster.engines.urls.map(async (url) => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(/^mvm_ci_engine_replayed_entries_total (\d+)$/m.exec(text)?.[1]);
    }),
  );
  return counts.reduce((sum, count) => sum + count, 0);
};

const storedEntries = (data: string, which = 'entries > 0'): number => {
  using db = new DatabaseSync(join(data, 'control.db'), { readOnly: true });
  return Number(db.prepare(`SELECT max(entries) AS entries FROM snapshots WHERE ${which}`).get()?.['entries']);
};

const killWorkers = async ({ cluster }: Scene): Promise<void> => {
  for (const worker of cluster.workers) await cluster.removeWorker(worker);
  await cluster.addWorker();
};

const killEngines = async ({ cluster: { engines } }: Scene): Promise<void> => {
  for (const server of engines.running) await engines.kill(server);
  await engines.restart();
};

/** A job whose engine, or worker, is killed at a request that waits, with a snapshot behind it. */
const loseInTheMiddle = async (engine: EngineOption, lose: (scene: Scene) => Promise<void>): Promise<void> => {
  const signal = AbortSignal.timeout(deadlineMs);
  const release = Promise.withResolvers<void>();
  const isHeld = (path: string): boolean => path === `/?n=${heldAt}`;
  await using receiver = await Receiver.start(({ path }, respond) => {
    if (isHeld(path)) void release.promise.then(() => respond(200, path));
    else respond(200, path);
  });
  const controlPlaneArgs = ['--lease-ms', '750', '--heartbeat-ms', '200'];
  await using scene = await Scene.start({ engine, workers: 1, controlPlaneArgs });
  await scene.deploy('probe');
  const input = { url: receiver.url, times, pauseMs: 0 };
  const [id = ''] = await scene.publish([{ workflow: 'probe/keepAsking', input }]);
  await receiver.arrivals(1, ({ path }) => isHeld(path));
  await lose(scene);
  await receiver.arrivals(2, ({ path }) => isHeld(path));
  const entries = storedEntries(scene.cluster.data, 'head IS NOT NULL');
  assert.ok(entries >= 1_000, `${entries} entries are behind a snapshot with a head`);
  // The control plane doesn't tell of its own engine.
  if (engine !== 'peer') {
    const replayed = await replayedEntries(scene);
    assert.ok(replayed > 0 && replayed < 1_000, `${replayed} were replayed, ${entries} are behind the snapshot`);
  }
  release.resolve();
  assert.equal((await scene.ended(id, signal)).result, times);
  const keys = receiver.requests.map(({ key }) => key);
  assert.deepEqual([new Set(keys).size, keys.length], [times, times + 1]);
  assert.equal(storedEntries(scene.cluster.data), 0);
};

describe('a job whose engine is not its worker’s leaves snapshots behind, and goes on from there', () => {
  for (const engine of ['peer', 'remote', 'pool'] as const)
    it(`when its worker is killed (${engine})`, { timeout: deadlineMs }, () => loseInTheMiddle(engine, killWorkers));
  for (const engine of ['remote', 'pool'] as const)
    it(`when its engine server is killed (${engine})`, { timeout: deadlineMs }, () =>
      loseInTheMiddle(engine, killEngines),
    );
});

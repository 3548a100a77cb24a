/** Engines that aren't there, or not for this worker: it says why, claims nothing, and works once they are. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { EngineOption } from '@mvm-ci/testkit';
import { Receiver } from './receiver.ts';
import { Scene } from './scene.ts';

const deadlineMs = 240_000;
const token = 'the-right-token';
const withServers: readonly EngineOption[] = ['pool', 'remote'];

describe('a worker whose engine is absent', () => {
  for (const engine of withServers) {
    it(`claims nothing until it arrives: ${engine}`, async () => {
      const signal = AbortSignal.timeout(deadlineMs);
      await using receiver = await Receiver.start();
      await using scene = await Scene.start({ engine });
      await scene.deploy('probe');
      const { engines } = scene.cluster;
      await Promise.all(engines.running.map((server) => engines.kill(server)));
      const worker = await scene.cluster.addWorker();
      const [id = ''] = await scene.publish([{ workflow: 'probe/ask', input: { url: receiver.url } }]);
      await worker.says('CONNECTION_LOST', signal);
      const before = await scene.client.status(id);
      await engines.restart();
      const after = await scene.ended(id, signal);

      assert.deepEqual([before.status, before.epoch], ['pending', 0]);
      assert.deepEqual([after.status, after.epoch, after.lost_leases], ['completed', 1, 0]);
      assert.equal(receiver.requests.length, 1);
    });
  }
});

describe('a worker with a wrong setting', () => {
  it('says what is wrong with the URL or the token, and claims nothing', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using receiver = await Receiver.start();
    await using scene = await Scene.start({ engine: 'remote', engineArgs: ['--token', token] });
    await scene.deploy('probe');
    const [url = ''] = scene.cluster.engines.urls;
    const wrong = [
      { args: ['--flawless-url', 'http://127.0.0.1:1'], says: ['CONNECTION_LOST', 'ECONNREFUSED'] },
      { args: ['--flawless-url', scene.cluster.url], says: ['CONFIG_INVALID', 'is no engine server'] },
      { args: ['--flawless-url', url], says: ['UNAUTHENTICATED'] },
      { args: ['--flawless-url', url, '--flawless-token', 'another-token'], says: ['UNAUTHENTICATED'] },
    ];
    const [id = ''] = await scene.publish([{ workflow: 'probe/ask', input: { url: receiver.url } }]);
    for (const { args, says } of wrong) {
      const worker = await scene.cluster.addWorker({ args });
      for (const text of says) await worker.says(text, signal);
      assert.equal((await scene.client.status(id)).status, 'pending');
      assert.equal(await worker.stop(), 0, worker.output);
    }

    await scene.cluster.addWorker({ args: ['--flawless-token', token] });
    assert.equal((await scene.ended(id, signal)).status, 'completed');
    assert.equal(receiver.requests.length, 1);
  });
});

import { systemClock } from '@mvm-ci/net';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { moduleHash, mvmError } from '@mvm-ci/protocol';
import { moduleSource } from '../src/module-source.ts';
import { peerControlPlane } from '../src/peer-control-plane.ts';
import { FakeClock } from './fixtures/fake-clock.ts';
import { fixedRandom } from './fixtures/fixed-random.ts';
import { MemoryCluster } from './fixtures/memory-cluster.ts';

const file = new Uint8Array([1, 2, 3]);
const { signal } = new AbortController();

describe('moduleSource', () => {
  const setUp = (): { cluster: MemoryCluster; clock: FakeClock; source: ReturnType<typeof moduleSource> } => {
    const cluster = new MemoryCluster();
    cluster.isJoined = true;
    const clock = new FakeClock();
    const source = moduleSource({ controlPlane: peerControlPlane(cluster, systemClock), clock, random: fixedRandom });
    return { cluster, clock, source };
  };

  it('asks until the module comes', async () => {
    const { cluster, clock, source } = setUp();
    cluster.modules.set(moduleHash(file), file);
    let faults = 3;
    cluster.fault = () => {
      faults -= 1;
      if (faults >= 0) throw mvmError('CONNECTION_LOST', 'not now');
      return undefined;
    };
    const module = source(moduleHash(file), { signal });
    await clock.advance(10_000);
    assert.deepEqual(await module, file);
    assert.equal(cluster.requests.length, 4);
  });

  it('refuses a file that is not the one that was asked for', async () => {
    const { cluster, source } = setUp();
    cluster.modules.set('ab', file);
    await assert.rejects(source('ab', { signal }), { code: 'MODULE_INVALID' });
  });

  it('passes on that there is no such module', async () => {
    await assert.rejects(setUp().source('ab', { signal }), { code: 'MODULE_NOT_FOUND' });
  });

  it('stops asking when nobody needs it any more', async () => {
    const { cluster, clock, source } = setUp();
    cluster.fault = () => {
      throw mvmError('CONNECTION_LOST', 'down');
    };
    const stop = new AbortController();
    const module = source('ab', { signal: stop.signal });
    await clock.advance(1_000);
    stop.abort();
    await assert.rejects(module, { code: 'CANCELLED' });
    assert.equal(clock.pending, 0);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mvmError } from '@mvm-ci/protocol';
import { peerHost } from '../../src/engine-hosts/peer.ts';
import type { LinkConnection } from '../../src/engine-hosts/link-dialer.ts';
import { FakeClock, settled } from '../fixtures/fake-clock.ts';
import { fixedRandom } from '../fixtures/fixed-random.ts';
import { KeptLogger } from '../fixtures/kept-logger.ts';

describe('peerHost', () => {
  it('stops while a control plane that is silent is asked for a link', async () => {
    const paths: string[] = [];
    const clock = new FakeClock();
    const host = peerHost({
      openChannel: (path, { signal }) => {
        paths.push(path);
        const { promise, reject } = Promise.withResolvers<LinkConnection>();
        signal.addEventListener('abort', () => reject(mvmError('CANCELLED', 'given up')), { once: true });
        return promise;
      },
      modules: () => Promise.reject(mvmError('MODULE_NOT_FOUND', 'modules do not cross the link')),
      clock,
      random: fixedRandom,
      logger: new KeptLogger(),
    });
    await settled();
    await host.stop();
    assert.deepEqual([paths, clock.pending], [['/engine/link'], 0]);
  });
});

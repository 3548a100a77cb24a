import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { limits, mvmError, type ClaimedJob } from '@mvm-ci/protocol';
import { HeldInbox } from '../src/journal/held-inbox.ts';
import { HeldJournal, type HeldJournalOptions } from '../src/journal/held-journal.ts';
import { workerLimits } from '../src/limits.ts';
import { peerControlPlane } from '../src/peer-control-plane.ts';
import { FakeClock } from './fixtures/fake-clock.ts';
import { fixedRandom } from './fixtures/fixed-random.ts';
import { MemoryCluster } from './fixtures/memory-cluster.ts';

const claimed: ClaimedJob = {
  job: 'j1',
  epoch: 1,
  attempt: 1,
  module: 'm',
  workflow: 'main',
  input: '{}',
  journalEntries: 3,
};
const never = new AbortController().signal;

describe('HeldInbox', () => {
  let cluster: MemoryCluster;
  let clock: FakeClock;
  let inbox: HeldInbox;

  const put = (data: string): void =>
    void cluster.stored('j1').inbox.put({ type: 'message', from: null, messageType: 'm', data });
  const options = (): Omit<HeldJournalOptions, 'shipper' | 'onRefused'> => ({
    claimed,
    controlPlane: peerControlPlane(cluster, clock),
    clock,
    random: fixedRandom,
  });

  beforeEach(() => {
    cluster = new MemoryCluster();
    cluster.isJoined = true;
    cluster.publish('j1');
    Object.assign(cluster.stored('j1'), { epoch: 1, holder: 'me' });
    clock = new FakeClock();
    inbox = new HeldInbox(options());
  });

  it('waits at the control plane for an item above the one that it names', async () => {
    put('0');
    const asked = inbox.after(1, never);
    await clock.advance(0);
    put('1');
    assert.deepEqual(
      (await asked).map(({ number }) => number),
      [2],
    );
    assert.equal(cluster.requests.length, 1);
  });

  it('asks again when the control plane could not be reached', async () => {
    let faults = 2;
    cluster.fault = () => (faults-- > 0 ? mvmError('CONNECTION_LOST', 'gone') : undefined);
    put('0');
    const asked = inbox.after(0, never);
    await clock.advance(2 * workerLimits.retryMsMax);
    assert.equal((await asked).length, 1);
    assert.equal(cluster.requests.length, 3);
  });

  it('gives up without a word when it is told to, and says what the control plane refuses', async () => {
    const given = new AbortController();
    const asked = inbox.after(0, given.signal);
    await clock.advance(0);
    given.abort();
    assert.deepEqual(await asked, []);
    cluster.expire('j1');
    await assert.rejects(inbox.after(0, never), { code: 'STALE_LEASE' });
  });

  it('is read to its end, page by page, before a journal is continued', async () => {
    for (let number = 0; number < 2 * limits.inboxPageItems + 5; number += 1) put(String(number));
    const journal = new HeldJournal({ ...options(), shipper: { offer: () => undefined }, onRefused: () => undefined });
    const opened = await journal.open();
    assert.equal(opened.inbox.length, 2 * limits.inboxPageItems + 5);
    assert.equal(opened.inbox.at(-1)?.number, 2 * limits.inboxPageItems + 5);
    assert.deepEqual(
      cluster.requests.map(({ path }) => path.replace(/\?.*/, '')),
      ['/peer/journal/j1', '/peer/inbox', '/peer/inbox'],
    );
  });
});

import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { Snapshot } from '@mvm-ci/engine';
import {
  chainHash,
  chainStart,
  encodeEntries,
  type ClaimedJob,
  type JournalBatch,
  type JournalEntry,
} from '@mvm-ci/protocol';
import { HeldJournal } from '../src/journal/held-journal.ts';
import { peerControlPlane } from '../src/peer-control-plane.ts';
import { logEntry } from './fixtures/entry.ts';
import { FakeClock } from './fixtures/fake-clock.ts';
import { fixedRandom } from './fixtures/fixed-random.ts';
import { MemoryCluster, type StoredJob } from './fixtures/memory-cluster.ts';

const claimed: ClaimedJob = {
  job: 'j1',
  epoch: 1,
  attempt: 1,
  module: 'm',
  workflow: 'main',
  input: '{}',
  journalEntries: 9,
};
const texts = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'];
const all: readonly JournalEntry[] = texts.map(logEntry);
const snapshot: Snapshot = {
  entries: 9,
  runtime: 'r',
  imageHash: 'ab'.repeat(32),
  bytes: new Uint8Array([1]),
  head: new Uint8Array([7]),
};

describe('HeldJournal', () => {
  let cluster: MemoryCluster;

  /** Of a holder that has no journal yet. */
  const holder = (): HeldJournal => {
    const clock = new FakeClock();
    const controlPlane = peerControlPlane(cluster, clock);
    const shipper = { offer: () => undefined };
    return new HeldJournal({ claimed, controlPlane, shipper, clock, random: fixedRandom, onRefused: () => undefined });
  };
  /** Stores these entries in batches of three behind those that are stored. */
  const store = (entries: readonly JournalEntry[]): void => {
    const { batches } = cluster.stored('j1');
    for (let first = 0; first < entries.length; first += 3) {
      const some = entries.slice(first, first + 3);
      const firstSeq = batches.reduce((sum, { count }) => sum + count, 0);
      const batch = { firstSeq, count: some.length, bytes: encodeEntries(some) };
      batches.push({ ...batch, hash: chainHash(batches.at(-1)?.hash ?? chainStart('j1', 1), batch) });
    }
  };
  const change = (changed: Partial<StoredJob>): void => void Object.assign(cluster.stored('j1'), changed);
  const asked = (): readonly string[] =>
    cluster.requests.map(({ path }) => path).filter((path) => path.startsWith('/peer/journal'));

  const tail = '/peer/journal/j1?epoch=1&tail=1';
  const whole = '/peer/journal/j1?epoch=1';

  /** Nine entries, a snapshot behind them with its head, and three entries more. */
  beforeEach(async () => {
    cluster = new MemoryCluster();
    cluster.isJoined = true;
    cluster.publish('j1');
    change({ epoch: 1, holder: 'me' });
    store(all);
    const first = holder();
    await first.open();
    await first.saveSnapshot(snapshot);
    store([logEntry('j'), logEntry('k'), logEntry('l')]);
    cluster.requests.length = 0;
  });

  it('reads only the tail behind a snapshot with a head, for a host that may go without the rest', async () => {
    const { count, entries, leftOut, snapshot: found } = await holder().open({ mayLeaveOut: true });
    assert.deepEqual(asked(), [tail]);
    assert.deepEqual(entries, [logEntry('j'), logEntry('k'), logEntry('l')]);
    assert.deepEqual([count, leftOut?.entries], [12, 9]);
    assert.deepEqual([found?.entries, found?.head], [9, snapshot.head]);
  });

  it('reads the rest when somebody needs it', async () => {
    const { leftOut } = await holder().open({ mayLeaveOut: true });
    assert.deepEqual((await leftOut?.load())?.slice(0, 9), all);
    assert.deepEqual(asked(), [tail, whole]);
    const [first, ...more] = cluster.stored('j1').batches;
    assert.ok(first);
    change({ batches: [{ ...first, bytes: encodeEntries([logEntry('x')]) }, ...more] });
    await assert.rejects(async () => leftOut?.load(), { code: 'JOURNAL_CORRUPT' });
  });

  it('reads no rest for a run that is over', async () => {
    const journal = holder();
    const { leftOut } = await journal.open({ mayLeaveOut: true });
    journal.lose();
    await assert.rejects(async () => leftOut?.load(), { code: 'STALE_LEASE' });
  });

  it('reads the whole journal for any other host, and of a control plane that knows no tail', async () => {
    const other = await holder().open();
    assert.deepEqual(asked(), [whole]);
    const old = holder();
    const fetch = cluster.fetch.bind(cluster);
    cluster.fetch = (path, init) => fetch(path.replace('&tail=1', ''), init);
    for (const { entries, leftOut, count } of [other, await old.open({ mayLeaveOut: true })]) {
      assert.deepEqual(entries.slice(0, 9), all);
      assert.deepEqual([entries.length, count, leftOut], [12, 12, undefined]);
    }
  });

  it('reads the whole journal when a seal does not fit', async () => {
    const { snapshot: kept } = cluster.stored('j1');
    assert.ok(kept);
    const unfit = {
      'no seal of the head': { ...kept, headSeal: undefined },
      'another head': { ...kept, head: new Uint8Array([8]) },
      'another state': { ...kept, bytes: new Uint8Array([2]) },
      'other entries': { ...kept, entries: 7 },
    };
    for (const [what, wrong] of Object.entries(unfit)) {
      change({ snapshot: wrong });
      cluster.requests.length = 0;
      const { entries, leftOut } = await holder().open({ mayLeaveOut: true });
      assert.deepEqual(asked(), [tail, whole], what);
      assert.deepEqual([entries.slice(0, 9), leftOut], [all, undefined], what);
    }
  });

  it('finds a damaged tail as it finds a damaged journal', async () => {
    const batches: readonly JournalBatch[] = cluster.stored('j1').batches;
    change({ batches: batches.map((batch) => (batch.firstSeq === 9 ? { ...batch, count: 2 } : batch)) });
    await assert.rejects(holder().open({ mayLeaveOut: true }), { code: 'JOURNAL_CORRUPT' });
  });
});

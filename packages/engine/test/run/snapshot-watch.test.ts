import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StandingState } from '../../src/guest/guest-threads.ts';
import type { Snapshot } from '../../src/index.ts';
import { SnapshotWatch, type SnapshotAuditor } from '../../src/run/snapshot-watch.ts';

/** A guest whose state the test gives out; two entries for each step. */
const watched = (
  audit?: SnapshotAuditor,
): {
  readonly saved: Snapshot[];
  readonly asked: ((standing: StandingState | undefined) => void)[];
  readonly watch: SnapshotWatch;
} => {
  const saved: Snapshot[] = [];
  const asked: ((standing: StandingState | undefined) => void)[] = [];
  const watch = new SnapshotWatch({
    guest: {
      capture: () => new Promise((resolve) => asked.push(resolve)),
      memoryHash: () => Promise.resolve('ab'),
    },
    core: { entriesAfter: (steps) => 2 * steps, journalBytes: 0, head: undefined },
    runtime: 'r',
    entries: 0,
    audit: () => audit,
    save: (snapshot) => {
      saved.push(snapshot);
      return Promise.resolve();
    },
  });
  return { saved, asked, watch };
};
const standing = (steps: number): StandingState => ({ steps, state: { imageHash: '00', bytes: new Uint8Array(1) } });

describe('the watch for snapshots', () => {
  it('hands a snapshot on only when all entries behind it are durable', async () => {
    const { saved, asked, watch } = watched();
    const first = watch.durable(1_000);
    asked[0]?.(standing(502));
    await first;
    await watch.durable(1_003);
    assert.deepEqual(saved, [], '1,004 entries are behind it');
    await watch.durable(1_004);
    assert.deepEqual(saved, [{ ...standing(502).state, entries: 1_004, runtime: 'r' }]);
    assert.equal(asked.length, 1);
  });

  it('keeps none whose audit finds a difference, and the one after it', async () => {
    const audited: unknown[] = [];
    const { saved, asked, watch } = watched((...what) => Promise.resolve(audited.push(what) > 1));
    const first = watch.durable(1_000);
    asked[0]?.(standing(500));
    await first;
    assert.deepEqual(saved, []);
    const second = watch.durable(1_002);
    asked[1]?.(standing(501));
    await second;
    assert.deepEqual(audited, [
      [500, 'ab'],
      [501, 'ab'],
    ]);
    assert.equal(saved.length, 1);
  });

  it('asks once at a time, and again after the next entries when the guest was in a step', async () => {
    const { saved, asked, watch } = watched();
    await watch.durable(999);
    assert.equal(asked.length, 0);
    const first = watch.durable(1_000);
    await watch.durable(1_002);
    assert.equal(asked.length, 1);
    asked[0]?.(undefined);
    await first;
    const second = watch.durable(1_004);
    asked[1]?.(standing(502));
    await second;
    assert.equal(saved.length, 1);
    await watch.durable(2_003);
    assert.equal(asked.length, 2, 'the next one is due 1,000 entries after this one');
  });
});

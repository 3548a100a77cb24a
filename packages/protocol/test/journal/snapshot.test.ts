import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  chainHash,
  chainStart,
  hasHead,
  headSeal,
  isSnapshotOf,
  parseAs,
  snapshotSeal,
  storedSnapshotSchema,
  type StoredSnapshot,
} from '@mvm-ci/protocol';

const batchOf = (previous: Uint8Array, firstSeq: number, bytes: Uint8Array) => {
  const batch = { firstSeq, count: 2, bytes };
  return { ...batch, hash: chainHash(previous, batch) };
};
const first = batchOf(chainStart('j', 1), 0, new Uint8Array([1]));
const second = batchOf(first.hash, 2, new Uint8Array([2]));
const state = { entries: 4, runtime: 'r', imageHash: 'ab'.repeat(32), bytes: new Uint8Array([9]) };
const seal = snapshotSeal(second.hash, state);
const head = new Uint8Array([7, 8]);
const snapshot: StoredSnapshot = { ...state, seal, head, headSeal: headSeal(seal, head) };

describe('a stored snapshot', () => {
  it('is known by the journal, and by its tail alone', () => {
    assert.ok(isSnapshotOf(snapshot, [first, second]));
    assert.ok(isSnapshotOf(snapshot, [second]));
    assert.ok(!isSnapshotOf(snapshot, [first]));
    assert.ok(!isSnapshotOf({ ...snapshot, entries: 3 }, [first, second]));
  });

  it('has a head only with its seal, which is of this snapshot', () => {
    assert.ok(hasHead(snapshot));
    assert.ok(!hasHead({ ...state, seal }));
    assert.ok(!hasHead({ ...snapshot, headSeal: undefined }));
    assert.ok(!hasHead({ ...snapshot, head: new Uint8Array([7, 9]) }));
    assert.ok(!hasHead({ ...snapshot, seal: snapshotSeal(first.hash, state) }));
  });

  it('is read without a head that can not be read', () => {
    const read = parseAs(storedSnapshotSchema, { ...snapshot, head: 7 }, 'snapshot');
    assert.deepEqual([read.head, read.entries], [undefined, 4]);
    assert.deepEqual(parseAs(storedSnapshotSchema, snapshot, 'snapshot'), snapshot);
  });
});

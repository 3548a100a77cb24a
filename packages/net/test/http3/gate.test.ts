import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MvmError } from '@mvm-ci/protocol';

import { Gate } from '../../src/http3/gate.ts';

const gateOf = (placesMax: number, waitingMax = 10): Gate => new Gate({ placesMax, waitingMax });

/** Whether a wait is over, after all that was due has run. */
const isReady = async (place: { readonly ready: Promise<void> | undefined }): Promise<boolean> => {
  const turn = new Promise<boolean>((resolve) => setImmediate(() => resolve(false)));
  return Promise.race([(place.ready ?? Promise.resolve()).then(() => true), turn]);
};

test('who comes when all places are taken waits, in order', async () => {
  const gate = gateOf(1);
  const [first, second, third] = [gate.enter(), gate.enter(), gate.enter()];
  assert.deepEqual([await isReady(first), await isReady(second), await isReady(third)], [true, false, false]);
  first.leave();
  assert.deepEqual([await isReady(second), await isReady(third)], [true, false]);
  second.leave();
  assert.equal(await isReady(third), true);
  third.leave();
  assert.equal(gate.taken, 0);
});

test('who leaves while waiting is passed over, and leaving twice gives one place back', async () => {
  const gate = gateOf(1);
  const [first, impatient, patient] = [gate.enter(), gate.enter(), gate.enter()];
  impatient.leave();
  first.leave();
  first.leave();
  assert.equal(await isReady(patient), true);
  assert.equal(gate.taken, 1);
});

test('too many that wait are refused', () => {
  const gate = gateOf(1, 1);
  gate.enter();
  gate.enter();
  assert.throws(
    () => gate.enter(),
    (thrown) => thrown instanceof MvmError && thrown.code === 'UNAVAILABLE',
  );
});

import { defaultBackoff } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { lostLeaseDelayMs, retryDelayMs } from '../../src/machine/transition.ts';

suite('backoffs', () => {
  test('after a lost lease: none, then doubling from 500 ms, at most 30 s', () => {
    assert.deepEqual([1, 2, 3, 4, 20].map(lostLeaseDelayMs), [0, 500, 1_000, 2_000, 30_000]);
  });

  test('after a failed attempt: growing by the factor up to the maximum, spread from half to all of it', () => {
    assert.deepEqual(
      [1, 2, 3].map((attempt) => retryDelayMs(defaultBackoff, attempt, 1)),
      [1_000, 2_000, 4_000],
    );
    assert.equal(retryDelayMs(defaultBackoff, 1, 0), 500);
    assert.equal(retryDelayMs(defaultBackoff, 100, 1), 300_000);
    assert.equal(retryDelayMs({ initial_ms: 0.1, factor: 1, max_ms: 10 }, 1, 0.5), 1);
  });
});

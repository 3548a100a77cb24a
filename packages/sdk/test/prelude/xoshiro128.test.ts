import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Xoshiro128 } from '../../src/prelude/xoshiro128.ts';

const countingFrom = (first: number): { word(): number } => {
  let next = first;
  return { word: () => next++ };
};

describe('Xoshiro128', () => {
  it('gives the words that 64-bit arithmetic gives from the state 1, 2, 3, 4', () => {
    const generator = new Xoshiro128(countingFrom(1));
    const words = Array.from({ length: 6 }, () => generator.word());
    assert.deepEqual(words, [11_520, 0, 5_927_040, 70_819_200, 2_031_721_883, 1_637_235_492]);
  });

  it('gives fractions from 0 up to but not including 1', () => {
    const generator = new Xoshiro128(countingFrom(0x9e37_79b9));
    const fractions = Array.from({ length: 10_000 }, () => generator.fraction());
    assert.ok(fractions.every((fraction) => fraction >= 0 && fraction < 1));
    const mean = fractions.reduce((sum, fraction) => sum + fraction) / fractions.length;
    assert.ok(mean > 0.48 && mean < 0.52, String(mean));
  });
});

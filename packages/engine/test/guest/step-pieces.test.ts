import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stepPieces } from '../../src/guest/step-pieces.ts';
import { engineLimits } from '../../src/limits.ts';
import type { GuestStep } from '../../src/run/activation.ts';

const step = (now: number, bytes: number): GuestStep => ({
  activation: { now, events: [{ type: 'answer', call: now + 1, answer: answerOf(bytes) }] },
  recorded: [],
});
const answerOf = (bytes: number) =>
  ({ type: 'message', item: 1, from: null, messageType: 'm', data: 'x'.repeat(bytes) }) as const;
const steps = (count: number, bytes = 0): readonly GuestStep[] =>
  Array.from({ length: count }, (_, now) => step(now, bytes));
const lengthsOf = (all: readonly GuestStep[]): readonly number[] => [...stepPieces(all)].map(({ length }) => length);

describe('the pieces of a replay', () => {
  it('hold all steps once, in their order', () => {
    const all = steps(2 * engineLimits.pieceStepsMax + 1);
    assert.deepEqual([...stepPieces(all)].flat(), all);
  });

  it('have a limited number of steps', () => {
    const { pieceStepsMax } = engineLimits;
    assert.deepEqual(lengthsOf(steps(pieceStepsMax)), [pieceStepsMax]);
    assert.deepEqual(lengthsOf(steps(2 * pieceStepsMax + 1)), [pieceStepsMax, pieceStepsMax, 1]);
  });

  it('end with the step that brings more than a piece may have, however large it is', () => {
    const half = engineLimits.pieceBytesMax / 2;
    assert.deepEqual(lengthsOf(steps(5, half)), [2, 2, 1]);
    assert.deepEqual(lengthsOf(steps(3, 3 * half)), [1, 1, 1]);
  });

  it('are one, and empty, when there is nothing to take', () => {
    assert.deepEqual(lengthsOf([]), [0]);
  });
});

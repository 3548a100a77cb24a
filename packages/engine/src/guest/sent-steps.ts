/** The steps of a guest as they go to its thread: a few as they are, pieces of a replay packed, so that one can be packed while another is taken. */
import type { GuestStep } from '../run/activation.ts';
import { packRecorded } from './core/recorded-wire.ts';
import { stepPieces } from './step-pieces.ts';
import { packSteps } from './thread-packing.ts';
import type { GuestCode, SentSteps } from './thread-message.ts';

/** Steps for one message. */
export interface StepPiece {
  readonly count: number;
  readonly steps: SentSteps;
}

/** So many steps and more are packed. */
const packedStepsMin = 16;

/** The pieces of `steps`, each packed when it is asked for. No steps are one empty piece. */
export const sentPieces = function* (
  steps: readonly GuestStep[],
  kind: GuestCode['kind'],
): Generator<StepPiece, void, undefined> {
  for (const piece of stepPieces(steps)) yield { count: piece.length, steps: sentSteps(piece, kind) };
};

const sentSteps = (steps: readonly GuestStep[], kind: GuestCode['kind']): SentSteps => {
  if (steps.length < packedStepsMin) return steps;
  const recorded = kind === 'core' ? packRecorded(steps) : undefined;
  return recorded ? { form: 'recorded', bytes: recorded } : { form: 'steps', bytes: packSteps(steps) };
};

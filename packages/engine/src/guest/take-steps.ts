/** Takes the steps of one guest in order and compares those that are recorded (I6). */
import type { Intent } from '@mvm-ci/protocol';
import type { GuestStep } from '../run/activation.ts';
import type { Guest, StepOutcome } from './guest.ts';
import { sameIntents } from './intent-comparison.ts';
import { takeWholeStep } from './whole-step.ts';

/** Where a guest's code runs. */
export interface Whereabouts {
  /** The guest's code is about to run. */
  enter(): void;
  /** The guest's code has left the thread's stack. */
  leave(): void;
}

/**
 * Feeds `steps` to `guest`. The outcome is there at once when the guest ended each step at once; it is a promise from the
 * first step on that suspends.
 *
 * @throws {GuestFault} what the guest throws; a promise rejects with it
 */
export const takeSteps = (
  guest: Pick<Guest, 'step'>,
  steps: readonly GuestStep[],
  where: Whereabouts,
): StepOutcome | Promise<StepOutcome> => takeFrom(0, { guest, steps, where });

interface Walk {
  readonly guest: Pick<Guest, 'step'>;
  readonly steps: readonly GuestStep[];
  readonly where: Whereabouts;
}

const takeFrom = (first: number, walk: Walk): StepOutcome | Promise<StepOutcome> => {
  let intents: readonly Intent[] = [];
  for (let index = first; index < walk.steps.length; index += 1) {
    const asked = takeOne(index, walk);
    if (asked instanceof Promise)
      return asked.then((late) => diverged(index, walk, late) ?? afterwards(index, walk, late));
    const end = diverged(index, walk, asked);
    if (end) return end;
    intents = asked;
  }
  return { type: 'stepped', intents };
};

const takeOne = (index: number, { guest, steps, where }: Walk): ReturnType<Guest['step']> => {
  const step = steps[index];
  if (!step) return [];
  return takeWholeStep((activation) => {
    where.enter();
    try {
      return guest.step(activation);
    } finally {
      where.leave();
    }
  }, step);
};

const diverged = (index: number, { steps }: Walk, asked: readonly Intent[]): StepOutcome | undefined => {
  const recorded = steps[index]?.recorded;
  if (!recorded || sameIntents(recorded, asked)) return undefined;
  return { type: 'diverged', index, asked };
};

const afterwards = (index: number, walk: Walk, intents: readonly Intent[]): StepOutcome | Promise<StepOutcome> =>
  index + 1 < walk.steps.length ? takeFrom(index + 1, walk) : { type: 'stepped', intents };

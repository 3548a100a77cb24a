import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Intent } from '@mvm-ci/protocol';
import { GuestFault, type Guest } from '../../src/guest/guest.ts';
import { takeSteps } from '../../src/guest/take-steps.ts';
import type { GuestStep } from '../../src/run/activation.ts';

const sleepOf = (call: number): readonly Intent[] => [{ type: 'sleep', call, ms: 1 }];
const steps = (...recorded: readonly (readonly Intent[] | null)[]): readonly GuestStep[] =>
  recorded.map((intents, now) => ({ activation: { now, events: [] }, recorded: intents }));

/** Asks for one sleep per step; suspends in the steps that are named. */
const sleeper = (...suspending: readonly number[]): Pick<Guest, 'step'> => {
  let call = 0;
  return {
    step: ({ now }) => {
      call += 1;
      const asked = sleepOf(call);
      return suspending.includes(now) ? Promise.resolve(asked) : asked;
    },
  };
};
const anywhere = { enter: () => undefined, leave: () => undefined };

describe('taking the steps of a guest', () => {
  it('is over at once when each step ended at once', () => {
    const outcome = takeSteps(sleeper(), steps(sleepOf(1), sleepOf(2), null), anywhere);
    assert.deepEqual(outcome, { type: 'stepped', intents: sleepOf(3) });
  });

  it('ends with the same when some or all of the steps suspend', async () => {
    for (const suspending of [[0], [1], [2], [0, 2], [0, 1, 2]]) {
      const outcome = takeSteps(sleeper(...suspending), steps(sleepOf(1), sleepOf(2), null), anywhere);
      assert.ok(outcome instanceof Promise);
      assert.deepEqual(await outcome, { type: 'stepped', intents: sleepOf(3) });
    }
  });

  it('stops at the step that asks for something else, and says which', async () => {
    const wrong = steps(sleepOf(1), sleepOf(9), sleepOf(3));
    for (const suspending of [[], [0], [1]])
      assert.deepEqual(await takeSteps(sleeper(...suspending), wrong, anywhere), {
        type: 'diverged',
        index: 1,
        asked: sleepOf(2),
      });
  });

  it('takes the next step only when the one before has ended', async () => {
    const first = Promise.withResolvers<readonly Intent[]>();
    const taken: number[] = [];
    const guest: Pick<Guest, 'step'> = {
      step: ({ now }) => {
        taken.push(now);
        return now === 0 ? first.promise : [];
      },
    };
    const outcome = takeSteps(guest, steps(null, null), anywhere);
    await Promise.resolve();
    assert.deepEqual(taken, [0]);
    first.resolve([]);
    await outcome;
    assert.deepEqual(taken, [0, 1]);
  });

  it("fails as the guest does, and says that the guest's code has left the stack", async () => {
    const fault = new GuestFault({ code: 'GUEST_TRAPPED', message: 'no' });
    const where: string[] = [];
    const told = { enter: () => where.push('enter'), leave: () => where.push('leave') };
    const now = {
      step: () => {
        throw fault;
      },
    };
    const later = { step: () => Promise.reject(fault) };
    assert.throws(() => takeSteps(now, steps(null), told), fault);
    await assert.rejects(async () => takeSteps(later, steps(null), told), fault);
    assert.deepEqual(where, ['enter', 'leave', 'enter', 'leave']);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Intent } from '@mvm-ci/protocol';
import type { Guest } from '../../src/guest/guest.ts';
import { takeSteps } from '../../src/guest/take-steps.ts';
import { takeWholeStep } from '../../src/guest/whole-step.ts';
import type { Activation, GuestEvent } from '../../src/run/activation.ts';

const sleep = (call: number): Intent => ({ type: 'sleep', call, ms: 1 });
const version = (change: string): Intent => ({ type: 'version', change });
const activation: Activation = { now: 7, events: [] };
const verdicts = (events: readonly GuestEvent[]): readonly unknown[] =>
  events.flatMap((event) => (event.type === 'version' ? [[event.change, event.chosen]] : []));

/** Asks for `change`, then sleeps: call 2 in new code, call 1 in old; in a step of its own when `suspends`. */
const changed = (change: string, suspends = false): Pick<Guest, 'step'> & { readonly heard: Activation[] } => {
  const heard: Activation[] = [];
  const step = (told: Activation): readonly Intent[] => {
    heard.push(told);
    const [event] = told.events;
    if (event?.type !== 'version') return [version(change)];
    return event.chosen ? [sleep(1), sleep(2)] : [sleep(1)];
  };
  return { heard, step: (told) => (suspends ? Promise.resolve(step(told)) : step(told)) };
};

describe('a step that asks for a version', () => {
  for (const suspends of [false, true]) {
    const how = suspends ? 'suspends' : 'ends at once';
    it(`is told yes when it is live, at the same time, and records what it asked (guest ${how})`, async () => {
      const guest = changed('c', suspends);
      const intents = await takeWholeStep((told) => guest.step(told), { activation, recorded: null });
      assert.deepEqual(intents, [version('c'), sleep(1), sleep(2)]);
      assert.deepEqual(guest.heard[1], { now: 7, events: [{ type: 'version', change: 'c', chosen: true }] });
    });

    it(`is told yes in the replay of a step that recorded it (guest ${how})`, async () => {
      const recorded = [version('c'), sleep(1), sleep(2)];
      const where = { enter: () => undefined, leave: () => undefined };
      const outcome = await takeSteps(changed('c', suspends), [{ activation, recorded }], where);
      assert.deepEqual(outcome, { type: 'stepped', intents: recorded });
    });

    it(`is told no in the replay of a step that older code recorded, which then compares equal (guest ${how})`, async () => {
      const guest = changed('c', suspends);
      const where = { enter: () => undefined, leave: () => undefined };
      const outcome = await takeSteps(guest, [{ activation, recorded: [sleep(1)] }], where);
      assert.deepEqual(outcome, { type: 'stepped', intents: [sleep(1)] });
      assert.deepEqual(verdicts(guest.heard[1]?.events ?? []), [['c', false]]);
    });
  }

  it('is told about each change by itself', async () => {
    const told: unknown[] = [];
    const guest = ({ events }: Activation): readonly Intent[] => {
      told.push(...verdicts(events));
      return events.length === 0 ? [version('old'), version('new')] : [];
    };
    await takeWholeStep(guest, { activation, recorded: [version('old')] });
    assert.deepEqual(told, [
      ['old', true],
      ['new', false],
    ]);
  });

  it('ends with LIMIT_EXCEEDED when it asks without an end, in replay as well', () => {
    for (const recorded of [null, []])
      assert.throws(
        () => takeWholeStep(() => [version('again')], { activation, recorded }),
        (error: unknown) => error instanceof Error && /one after another/.test(error.message),
      );
  });
});

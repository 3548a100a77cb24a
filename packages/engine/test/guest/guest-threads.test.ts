import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GuestThreads, type GuestModule } from '../../src/guest/guest-threads.ts';
import { defaultGuestLimits, engineLimits } from '../../src/limits.ts';
import type { GuestStep } from '../../src/run/activation.ts';
import { systemClock } from '../../src/system-clock.ts';
import { compileQuickjs } from '../../src/system-quickjs.ts';
import { workflowModule } from '@mvm-ci/testkit';

const counter: GuestModule = {
  id: 1,
  code: {
    kind: 'javascript',
    script: new TextDecoder().decode(workflowModule('let n = 0; for (;;) { await sleep(++n); }').code),
  },
};
const open = async (residentGuestsMax: number): Promise<GuestThreads> =>
  new GuestThreads({
    threads: 1,
    quickjs: await compileQuickjs(),
    limits: defaultGuestLimits,
    clock: systemClock,
    residentGuestsMax,
  });

const sleepOf = (call: number): GuestStep['recorded'] => [{ type: 'sleep', call, ms: call }];
/** Step number `index` of the counter, the last one not recorded yet. */
const steps = (count: number): readonly GuestStep[] =>
  Array.from({ length: count }, (_, index) => ({
    activation: {
      now: index,
      events:
        index === 0
          ? [{ type: 'start', job: 'j', attempt: 1, workflow: 'main', input: '{}', seed: new Uint8Array(32) }]
          : [{ type: 'answer', call: index, answer: { type: 'slept' } }],
    },
    recorded: index === count - 1 ? null : sleepOf(index + 1),
  }));

describe('guest threads', () => {
  it('feed a guest only what is new to it', async () => {
    const threads = await open(8);
    const guest = threads.open(counter);
    const asked: number[] = [];
    for (let count = 1; count <= 4; count += 1) {
      const outcome = await guest.step((first) => {
        asked.push(first);
        return steps(count).slice(first);
      });
      assert.deepEqual(outcome, { type: 'stepped', intents: sleepOf(count) });
    }
    assert.deepEqual(asked, [0, 1, 2, 3]);
    await threads.stop();
  });

  it('serve others between the pieces of a long replay, and tell at which of all steps it diverges', async () => {
    const threads = await open(8);
    const wrong = engineLimits.pieceStepsMax + 5;
    const long = steps(3 * engineLimits.pieceStepsMax).map((step, index) =>
      index === wrong ? { ...step, recorded: sleepOf(1) } : step,
    );
    const replay = threads.open(counter).step((first) => long.slice(first));
    const neighbour = await threads.open(counter).step(() => steps(1));
    assert.deepEqual(neighbour, { type: 'stepped', intents: sleepOf(1) });
    assert.deepEqual(await replay, { type: 'diverged', index: wrong, asked: sleepOf(wrong + 1) });
    await threads.stop();
  });

  it('make no guest anew that is closed between two pieces', async () => {
    const threads = await open(8);
    const guest = threads.open(counter);
    const replay = guest.step(() => steps(3 * engineLimits.pieceStepsMax));
    guest.close();
    assert.deepEqual(await replay, { type: 'lost' });
    assert.equal((await threads.open(counter).step(() => steps(1))).type, 'stepped');
    await threads.stop();
  });

  it('drop the guest that rested longest when there is no room, and rebuild it from its steps', async () => {
    const threads = await open(2);
    const guests = [threads.open(counter), threads.open(counter), threads.open(counter)];
    const asked: number[][] = [[], [], []];
    for (let count = 1; count <= 3; count += 1)
      for (const [index, guest] of guests.entries()) {
        const outcome = await guest.step((first) => {
          asked[index]?.push(first);
          return steps(count).slice(first);
        });
        assert.deepEqual(outcome, { type: 'stepped', intents: sleepOf(count) });
      }
    assert.deepEqual(
      asked,
      [
        [0, 0, 0],
        [0, 0, 0],
        [0, 0, 0],
      ],
      'three in turn through two places',
    );
    await threads.stop();
  });

  it('count the step at which a guest diverged from its first step on', async () => {
    const threads = await open(8);
    const guest = threads.open(counter);
    await guest.step((first) => steps(2).slice(first));
    const wrong = steps(4).map((step, index) => (index === 2 ? { ...step, recorded: sleepOf(99) } : step));
    const outcome = await guest.step((first) => wrong.slice(first));
    assert.deepEqual(outcome, { type: 'diverged', index: 2, asked: sleepOf(3) });
    await threads.stop();
  });

  it('lose what waits when they are stopped, and stop twice', async () => {
    const threads = await open(8);
    const outcome = threads.open(counter).step((first) => steps(1).slice(first));
    await threads.stop();
    await threads.stop();
    assert.deepEqual(await outcome, { type: 'lost' });
  });
});

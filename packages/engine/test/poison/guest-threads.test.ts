/** What suspended guests of one thread can do to each other: nothing, whoever of them is stopped. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Intent, ModuleFile } from '@mvm-ci/protocol';
import { flawlessModule, wasiModule, wasiProgram } from '@mvm-ci/testkit';
import { GuestThreads } from '../../src/guest/guest-threads.ts';
import { defaultGuestLimits } from '../../src/limits.ts';
import { prepareModule } from '../../src/module/preparation.ts';
import type { GuestStep } from '../../src/run/activation.ts';
import { systemClock } from '../../src/system-clock.ts';
import { compileQuickjs } from '../../src/system-quickjs.ts';
import { failureOf, openTestEngine, resultOf } from '../fixtures/test-engine.ts';

const nap = '(call $sleep_ms (i64.const 10))';
const wasi = async (main: string): Promise<ModuleFile> => wasiModule(await wasiProgram({ main, data: { six: '6' } }));
const sleeper = (): Promise<ModuleFile> => wasi(`${nap} ${nap} ${nap} (call $out (global.get $six) (i32.const 1))`);
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

const start = { type: 'start', job: 'j', attempt: 1, workflow: 'main', input: '{}', seed: new Uint8Array(32) } as const;
/** The steps of a guest that sleeps 10 ms at a time: those in which it asked for `recorded`, and one more. */
const stepsAfter = (recorded: readonly (readonly Intent[])[]): readonly GuestStep[] =>
  numbers(recorded.length + 1).map((index) => ({
    activation: {
      now: index * 10,
      events: index === 0 ? [start] : [{ type: 'answer', call: index, answer: { type: 'slept' } }],
    },
    recorded: recorded[index] ?? null,
  }));

describe('a thread of suspended guests', () => {
  for (const [how, main] of [
    ['is stopped at a charge', `${nap} (loop $on (br $on))`],
    ['traps', `${nap} unreachable`],
    ['overflows its stack', `${nap} (call $dive)`],
  ] as const)
    it(`wakes all that wait in the same moment when one of them ${how}`, async () => {
      const poison = wasiModule(await wasiProgram({ main, functions: '(func $dive (call $dive))' }));
      const modules = { sleeper: await sleeper(), poison };
      await using engine = await openTestEngine({ modules, limits: { stepMsMax: 500, stepGraceMs: 300 } });
      const ends = numbers(48).map(async (index) => {
        const isPoison = index % 12 === 5;
        const { end } = await engine.finish(isPoison ? 'poison' : 'sleeper', { job: `j${index}` });
        return isPoison ? failureOf(end) !== undefined : resultOf(end) === 6;
      });
      assert.ok((await Promise.all(ends)).every(Boolean));
    });

  it('goes on with the others when one of them moves all of its memory for ever', async () => {
    // Bulk instructions of 50 MB each: few charges are reached, so either the charge or the watchdog stops it.
    const main = `${nap} (drop (memory.grow (i32.const 900)))
      (loop $on (memory.copy (i32.const 0) (i32.const 65536) (i32.const 50000000)) (br $on))`;
    const modules = { sleeper: await sleeper(), poison: await wasi(main) };
    await using engine = await openTestEngine({ modules, limits: { stepMsMax: 300, stepGraceMs: 100 } });
    const poison = engine.finish('poison', { job: 'poison' });
    const ends = await Promise.all(numbers(24).map((index) => engine.finish('sleeper', { job: `j${index}` })));
    assert.equal(failureOf((await poison).end)?.code, 'STEP_TIMEOUT');
    for (const { end } of ends) assert.equal(resultOf(end), 6);
  });

  it('holds more of them than it has room for: those that rested longest run again to where they were', async () => {
    const second = { Sleep: { secs: 0, nanos: 10_000_000 } };
    const files = [
      await sleeper(),
      await flawlessModule({ commands: [second, second, second, { SendResponse: '6' }] }),
    ];
    const modules = await Promise.all(
      files.map(async (file, index) => {
        assert.ok(file.kind !== 'javascript');
        const wasm = await prepareModule(file, defaultGuestLimits.memoryBytesMax);
        return { id: index + 1, code: { kind: file.kind, wasm, variant: '' } };
      }),
    );
    await using threads = new GuestThreads({
      threads: 1,
      quickjs: await compileQuickjs(),
      limits: defaultGuestLimits,
      clock: systemClock,
      residentGuestsMax: 3,
    });
    const guests = numbers(12).flatMap(() =>
      modules.map((module) => ({ guest: threads.open(module), recorded: [] as (readonly Intent[])[] })),
    );
    for (const count of [1, 2, 3, 4])
      for (const { guest, recorded } of guests) {
        const asked: number[] = [];
        const outcome = await guest.step((first) => {
          asked.push(first);
          return stepsAfter(recorded).slice(first);
        });
        assert.ok(outcome.type === 'stepped', JSON.stringify(outcome));
        assert.deepEqual(asked, [0], 'it was dropped since its last step');
        recorded.push(outcome.intents);
        const last = outcome.intents.at(-1);
        assert.ok(count < 4 ? last?.type === 'sleep' : last?.type === 'complete' && last.result === '6');
      }
  });
});

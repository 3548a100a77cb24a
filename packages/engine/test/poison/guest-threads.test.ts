/** What suspended guests of one thread can do to each other: nothing, whoever of them is stopped. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ModuleFile } from '@mvm-ci/protocol';
import { wasiModule, wasiProgram } from '@mvm-ci/testkit';
import { failureOf, openTestEngine, resultOf } from '../fixtures/test-engine.ts';

const nap = '(call $sleep_ms (i64.const 10))';
const wasi = async (main: string): Promise<ModuleFile> => wasiModule(await wasiProgram({ main, data: { six: '6' } }));
const sleeper = (): Promise<ModuleFile> => wasi(`${nap} ${nap} ${nap} (call $out (global.get $six) (i32.const 1))`);
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

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
});

/** Guests that compute for ever: what ends them, and that it harms nobody else in their thread. */
import assert from 'node:assert/strict';
import { setImmediate as nextMacrotask } from 'node:timers/promises';
import { after, before, describe, it } from 'node:test';
import type { ModuleFile } from '@mvm-ci/protocol';
import { coreModule, flawlessModule, wasiModule, wasiProgram, wasmFromText, workflowModule } from '@mvm-ci/testkit';
import { MemoryJournal } from '../src/journals/memory.ts';
import { defaultGuestLimits } from '../src/limits.ts';
import { failureOf, openTestEngine, resultOf, type TestEngine } from './fixtures/test-engine.ts';

const core = async (code: string, more = ''): Promise<ModuleFile> =>
  coreModule(
    await wasmFromText(`(module (memory (export "memory") 64) ${more}
      (func (export "mvm_alloc") (param i32) (result i32) (i32.const 1024))
      (func (export "mvm_step") (param i32 i32) (result i64) ${code} (i64.const 0)))`),
  );

/** One endless loop of each kind. */
const endless = async (): Promise<Readonly<Record<string, ModuleFile>>> => ({
  'a loop in WebAssembly': await core('(loop $l (br $l))'),
  'calls of functions that call each other': await core(
    '(call $a (i32.const 0))',
    `(func $a (param i32) (loop $l (call $b (i32.const 40)) (br $l)))
     (func $b (param i32) (if (local.get 0) (then
       (call $b (i32.sub (local.get 0) (i32.const 1))) (call $b (i32.sub (local.get 0) (i32.const 1))))))`,
  ),
  'bulk instructions': await core('(loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 4000000)) (br $l))'),
  'a start function': await core('', '(func $s (loop $l (br $l))) (start $s)'),
  'a script': workflowModule('for (;;) {}'),
  'a script that swallows every exception': workflowModule(
    'for (;;) { try { for (;;) {} } catch {} finally { continue; } }',
  ),
  'a native loop of the script runtime': workflowModule('[].indexOf.call({ length: 2 ** 53 - 1 }, 1);'),
  'a regular expression': workflowModule('/^(a+)+$/.test("a".repeat(40) + "b");'),
  'a wasi program': wasiModule(
    await wasmFromText('(module (memory (export "memory") 1) (func (export "_start") (loop $l (br $l))))'),
  ),
  'a flawless module': await flawlessModule({ commands: [], end: '(loop $l (br $l))' }),
});

const neighbour = workflowModule('let sum = 0; for (let i = 0; i < 4; i++) { await sleep(5); sum += i; } return sum;');
const names = Object.keys(await endless());

/** Resolves when other threads than this one have used the processor for a while. */
const isComputing = async (): Promise<void> => {
  const busyMs = (): number => {
    const [all, own] = [process.cpuUsage(), process.threadCpuUsage()];
    return (all.user - own.user) / 1_000;
  };
  const atStart = busyMs();
  while (busyMs() - atStart < 100) await nextMacrotask();
};

describe('a guest that computes for ever', () => {
  let engine: TestEngine;

  before(async () => {
    // Neither a step's time nor the budget ends it.
    const limits = { stepMsMax: 600_000, fuelMax: Number.MAX_SAFE_INTEGER };
    engine = await openTestEngine({ modules: { ...(await endless()), neighbour }, limits });
  });

  after(() => engine.stop());

  for (const name of names)
    it(`is stopped when its job is cancelled, and its thread goes on: ${name}`, async () => {
      const standing = engine.start('neighbour', { job: 'standing' });
      const { run } = engine.start(name, { job: 'endless' });
      const behind = engine.start('neighbour', { job: 'behind' });
      await isComputing();
      run.cancel('enough');
      const end = await run.ended;
      assert.ok(end.type === 'finished' && end.outcome.type === 'cancelled');
      for (const { run: other } of [standing, behind]) assert.equal(resultOf(await other.ended), 6);
    });
});

describe('a program that computes for ever', () => {
  const commands = [{ Sleep: { secs: 0, nanos: 1_000_000 } }, { SendResponse: '6' }];
  const napping = '(call $sleep_ms (i64.const 1)) (call $out (global.get $six) (i32.const 1))';
  let engine: TestEngine;

  before(async () => {
    const others = {
      neighbour,
      'neighbour wasi': wasiModule(await wasiProgram({ main: napping, data: { six: '6' } })),
      'neighbour flawless': await flawlessModule({ commands }),
    };
    const limits = { stepMsMax: 600_000, fuelMax: Number.MAX_SAFE_INTEGER };
    engine = await openTestEngine({ modules: { ...(await endless()), ...others }, limits });
  });

  after(() => engine.stop());

  for (const name of ['a wasi program', 'a flawless module'])
    it(`shares its thread: others begin and end while its step is in progress: ${name}`, async () => {
      const { run } = engine.start(name, { job: 'endless' });
      let hasEnded = false;
      void run.ended.then(() => (hasEnded = true));
      await isComputing();
      for (const other of ['neighbour', 'neighbour wasi', 'neighbour flawless'])
        assert.equal(resultOf((await engine.finish(other, { job: other })).end), 6);
      const { run: second } = engine.start(name, { job: 'endless too' });
      const { end } = await engine.finish('neighbour wasi', { job: 'beside both' });
      assert.equal(resultOf(end), 6);
      assert.equal(hasEnded, false);
      for (const one of [run, second]) {
        one.cancel('enough');
        const last = await one.ended;
        assert.ok(last.type === 'finished' && last.outcome.type === 'cancelled');
      }
    });
});

describe('a step that lasts too long', () => {
  let engine: TestEngine;

  before(async () => {
    // So long a grace that it is never the thread that is ended.
    const limits = { stepMsMax: 200, stepGraceMs: 600_000, fuelMax: Number.MAX_SAFE_INTEGER };
    engine = await openTestEngine({ modules: await endless(), limits });
  });

  after(() => engine.stop());

  for (const name of names)
    it(`is ended without its thread: ${name}`, async () => {
      const { end } = await engine.finish(name, { job: 'endless' });
      assert.equal(failureOf(end)?.code, 'STEP_TIMEOUT', JSON.stringify(end));
    });
});

describe('the budget of an attempt', () => {
  let engine: TestEngine;
  const fuelMax = 200_000_000;
  const sums = workflowModule(`
    let sum = 0;
    for (let round = 0; ; round++) {
      for (let i = 0; i < input.turns; i++) sum += i;
      await sleep(round);
    }`);

  before(async () => {
    engine = await openTestEngine({ modules: { ...(await endless()), sums }, limits: { fuelMax } });
  });

  after(() => engine.stop());

  for (const name of names)
    it(`ends it: ${name}`, async () => {
      const { end, entries } = await engine.finish(name, { job: 'endless' });
      const failure = failureOf(end);
      assert.equal(failure?.code, 'FUEL_EXHAUSTED', JSON.stringify(end));
      assert.deepEqual(failure.details, { limit: fuelMax });
      assert.equal(failure.retryable, false);
      assert.equal(entries.at(-1)?.kind, 'failed');
    });

  it('ends an attempt at the same entry each time', async () => {
    const input = { turns: 50 };
    const lives = await Promise.all(['j1', 'j2', 'j3'].map((job) => engine.finish('sums', { job, input })));
    const lengths = lives.map(({ entries }) => entries.length);
    assert.ok((lengths[0] ?? 0) > 8, 'it got some way');
    assert.deepEqual(new Set(lengths).size, 1);
    for (const { end } of lives) assert.equal(failureOf(end)?.code, 'FUEL_EXHAUSTED');
  });

  it('is counted for the whole engine, each unit once', async () => {
    const atFirst = engine.stats.fuel;
    await engine.finish('a loop in WebAssembly', { job: 'endless' });
    const used = engine.stats.fuel - atFirst;
    assert.ok(used > fuelMax && used < fuelMax * 1.1, `${used} units for a budget of ${fuelMax}`);
  });

  it('is the same everywhere unless a limit is set', () => {
    assert.equal(defaultGuestLimits.fuelMax, 10 ** 13);
  });
});

describe('a core guest that has used its fuel', () => {
  it('ends at the same entry when its steps are taken again from any of them on, fed one by one or in pieces', async () => {
    // Each step computes for a while and asks for a sleep of 0 ms under the next number.
    const step = `(global.set $i (i32.const 300))
      (loop $l (global.set $i (i32.sub (global.get $i) (i32.const 1))) (br_if $l (global.get $i)))
      (global.set $call (i32.add (global.get $call) (i32.const 1)))
      (i32.store (i32.const 2054) (global.get $call))
      (return (i64.const ${(2048n << 32n) | 18n}))`;
    const state = `(global $i (mut i32) (i32.const 0)) (global $call (mut i32) (i32.const 0))
      (data (i32.const 2048) "\\01\\01\\00\\00\\00\\01")`;
    const modules = { long: await core(step, state) };
    await using engine = await openTestEngine({ modules, limits: { fuelMax: 200_000 } });
    const { end, entries } = await engine.finish('long');
    assert.equal(failureOf(end)?.code, 'FUEL_EXHAUSTED');
    assert.ok(entries.length > 60 && entries.length < 400, `it ended after ${entries.length} entries`);
    for (const kept of [9, 50, entries.length - 1]) {
      const again = await engine.finish('long', { journal: new MemoryJournal(entries.slice(0, kept)) });
      assert.equal(failureOf(again.end)?.code, 'FUEL_EXHAUSTED');
      assert.equal(again.entries.length, entries.length, `from ${kept} entries on`);
    }
  });
});

describe('a program that has used its fuel', () => {
  it('ends at the same entry when its steps are taken again, however they were cut into turns', async () => {
    // It computes for some slices before each sleep.
    const main = `(loop $on (local.set $a (i32.const 500000))
      (loop $l (local.set $a (i32.sub (local.get $a) (i32.const 1))) (br_if $l (local.get $a)))
      (call $sleep_ms (i64.const 1)) (br $on))`;
    const modules = { long: wasiModule(await wasiProgram({ main })) };
    await using engine = await openTestEngine({ modules, limits: { fuelMax: 100_000_000 } });
    const { end, entries } = await engine.finish('long');
    assert.equal(failureOf(end)?.code, 'FUEL_EXHAUSTED');
    assert.ok(entries.length > 20 && entries.length < 200, `it ended after ${entries.length} entries`);
    for (const kept of [5, entries.length - 1]) {
      const again = await engine.finish('long', { journal: new MemoryJournal(entries.slice(0, kept)) });
      assert.equal(failureOf(again.end)?.code, 'FUEL_EXHAUSTED');
      assert.equal(again.entries.length, entries.length, `from ${kept} entries on`);
    }
  });
});

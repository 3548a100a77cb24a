import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'node:test';
import { coreWasm, wasmFromText } from '@mvm-ci/testkit';
import { FuelMeter } from '../../src/guest/fuel/metering.ts';
import { GuestFault } from '../../src/guest/guest.ts';
import { meter } from '../../src/module/metering.ts';
import { ModuleEdit } from '../../src/module/module-edit.ts';
import { testMetering } from '../fixtures/test-metering.ts';

const metered = (wasm: Uint8Array): Uint8Array => {
  const edit = new ModuleEdit(wasm);
  meter(edit);
  return edit.encode();
};

type Run = (...values: readonly number[]) => unknown;
const isRun = (value: unknown): value is Run => typeof value === 'function';

/** An instance of the module, its export `run`, and its meter. */
const start = async (
  text: string,
  limits: Parameters<typeof testMetering>[0] = {},
): Promise<{ readonly run: Run; readonly fuel: FuelMeter }> => {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(metered(await wasmFromText(text))), {});
  const fuel = new FuelMeter(testMetering(limits));
  fuel.attach(exports);
  const { run } = exports;
  assert.ok(isRun(run));
  return { run, fuel };
};

/** What a call of `run` uses. */
const costOf = async (text: string, ...values: readonly number[]): Promise<number> => {
  const { run, fuel } = await start(text);
  const before = fuel.left;
  run(...values);
  return before - fuel.left;
};

const body = (code: string): string => `(module (memory (export "memory") 64) (table 10 funcref)
  (func $leaf (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func $far (param i32) (result i32) (call $leaf (local.get 0)))
  (elem (i32.const 0) $leaf $far) (elem $passive func $leaf $far) (type $number (func (param i32) (result i32)))
  (func (export "run") (param i32) (local $i i32) ${code}))`;
const countTo = (inside: string): string =>
  `(loop $again ${inside} (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get 0))))`;

describe('a metered module', () => {
  it('is charged for its longest path at the entry of a function', async () => {
    // With a call it is no leaf.
    const call = '(drop (call $far (local.get 0)))';
    const callCost = await costOf(body(call), 0);
    const cost = async (code: string, value: number): Promise<number> =>
      (await costOf(body(call + code), value)) - callCost;
    assert.equal(await cost('(nop)', 0), 0);
    assert.equal(await cost('(local.set $i (local.get 0))', 0), 2);
    const fork = '(if (local.get 0) (then (nop)) (else (drop (local.get 0)) (drop (local.get 0))))';
    assert.deepEqual([await cost(fork, 0), await cost(fork, 1)], [6, 6]);
    const early = '(block $out (br_if $out (local.get 0)) (drop (local.get 0)) (return)) (drop (local.get 0))';
    assert.equal(await cost(early, 1), 5, 'two ways of 2 + 3 and 2 + 2');
  });

  it('is charged at each turn of a loop for that loop alone', async () => {
    assert.deepEqual(await Promise.all([1, 2, 10].map((turns) => costOf(body(countTo('')), turns))), [7, 14, 70]);
    assert.equal(await costOf(body(`(drop (local.get 0)) ${countTo('')} (drop (local.get 0))`), 3), 4 + 21);
  });

  it('is charged for a leaf where it calls it, and for any call through a table as if it were one', async () => {
    const call = (target: string): string => body(`(drop (${target} (local.get 0)))`);
    assert.equal(await costOf(call('call $leaf'), 1), 3 + 3);
    assert.equal(await costOf(call('call $far'), 1), 3 + (2 + 3));
    const indirect = body('(drop (call_indirect (type $number) (local.get 0) (i32.const 0)))');
    assert.equal(await costOf(indirect, 1), 4 + 16);
  });

  it('is charged for what a bulk instruction moves', async () => {
    const fill = body('(memory.fill (i32.const 0) (i32.const 1) (local.get 0))');
    assert.equal((await costOf(fill, 800_000)) - (await costOf(fill, 0)), 100_000);
    const copy = body('(memory.copy (i32.const 8) (i32.const 0) (local.get 0))');
    assert.equal((await costOf(copy, 8_000)) - (await costOf(copy, 0)), 1_000);
    const table = body('(table.init $passive (i32.const 3) (i32.const 0) (local.get 0))');
    assert.equal((await costOf(table, 2)) - (await costOf(table, 0)), 1);
    assert.ok((await costOf(body('(drop (memory.grow (i32.const 1)))'), 0)) >= 1_000);
  });

  it('is charged the same where it holds the counter in a local', async () => {
    // A loop that calls nothing is in it; every way out of the function and every call hands the counter on.
    const ways = [
      '(drop (call $far (local.get 0)))',
      '(drop (call_indirect (type $number) (local.get 0) (i32.const 1)))',
      '(if (local.get 0) (then (return)))',
      '(block (br_if 1 (local.get 0)))',
      '(block (br_table 0 1 (local.get 0)))',
      '(block (br 1))',
    ];
    for (const way of ways)
      for (const value of [0, 1, 3]) {
        const apart = (await costOf(body(`(drop (call $far (i32.const 1))) ${way}`), value)) - 3 - 5;
        assert.equal(await costOf(body(`${countTo('')} ${way}`), value), 7 * Math.max(1, value) + apart, way);
      }
  });

  it('is charged for a loop also when a leaf is called last', () => {
    const loop = [0x03, 0x40, 0x20, 1, 0x41, 1, 0x6a, 0x22, 1, 0x20, 0, 0x49, 0x0d, 0, 0x0b];
    // (func $leaf) (func (export "run") (param i32) (local i32) loop, and a call of the leaf)
    const endingWith = (...call: readonly number[]): Uint8Array => {
      const run = [1, 1, 0x7f, ...loop, ...call, 0x0b];
      const types = [1, 10, 2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 0, 1, 0x7f];
      const sections = [...types, 3, 3, 2, 1, 0, 7, 7, 1, 3, ...Buffer.from('run'), 0, 1];
      const code = [2, 4, 0, 0x41, 7, 0x0b, run.length, ...run];
      return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections, 10, code.length, ...code]);
    };
    const used = [endingWith(0x10, 0), endingWith(0x12, 0)].map((wasm) => {
      const { exports } = new WebAssembly.Instance(new WebAssembly.Module(metered(wasm)), {});
      const fuel = new FuelMeter(testMetering());
      fuel.attach(exports);
      const before = fuel.left;
      assert.ok(isRun(exports['run']));
      assert.equal(exports['run'](1_000), 7);
      return before - fuel.left;
    });
    assert.deepEqual(used, [7_002, 7_002]);
  });

  it('is charged for a turn of a loop that is longer than 32 bits count', async () => {
    // 40,000 times 64,000 instructions.
    const grow = '(drop (memory.grow (i32.const 0)))'.repeat(40_000);
    const skipped = body(countTo(`(block $over (br_if $over (i32.const 1)) ${grow})`));
    assert.ok((await costOf(skipped, 2)) > 2 * 40_000 * 4_000);
    const more = body(countTo(`(block $over (br_if $over (i32.const 1)) ${grow.repeat(14)})`));
    assert.ok((await costOf(more, 2)) >= 2 ** 32 - 2, 'the most that a charge can be');
  });

  it('gives no fuel back for a length that no memory has', async () => {
    for (const code of [
      '(memory.fill (i32.const 0) (i32.const 1)',
      '(table.init $passive (i32.const 0) (i32.const 0)',
    ]) {
      const { run, fuel } = await start(body(`${code} (local.get 0))`));
      const before = fuel.left;
      assert.throws(() => run(-1), WebAssembly.RuntimeError);
      assert.ok(fuel.left < before - 10 ** 8);
    }
    const { run, fuel } = await start(body('(drop (table.grow 0 (ref.null func) (local.get 0)))'));
    const before = fuel.left;
    run(-1);
    assert.ok(fuel.left < before - 10 ** 9);
  });

  it('is stopped at the first charge beyond its budget, wherever its slices end', async () => {
    for (const fuelMax of [69, 70, 71, 7_000_000, 7_000_006, 7_000_007]) {
      const { run, fuel } = await start(body(countTo('')), { fuelMax });
      const turns = Math.floor(fuelMax / 7);
      run(turns);
      assert.equal(fuel.left, fuelMax - turns * 7);
      fuel.refill();
      assert.throws(() => run(turns + 1), GuestFault);
      assert.ok(fuel.left < 0, 'and the counter says so');
    }
  });

  it('runs its start function when it can be counted', async () => {
    const text = `(module (memory (export "memory") 1) (global $n (mut i32) (i32.const 0)) (func $start (global.set $n (i32.const 7)))
      (start $start) (func (export "run") (result i32) (global.get $n)))`;
    const { run, fuel } = await start(text);
    assert.equal(run(), 7);
    assert.equal(
      fuel.left,
      testMetering().options.limits.fuelMax,
      'which is not charged to the attempt; the leaf neither',
    );
    const endless = text.replace('(global.set', '(loop $l (br $l)) (global.set');
    await assert.rejects(start(endless, { fuelMax: 5_000 }), { message: /5000 units/ });
  });

  it('may lack the sections that it is given', () => {
    const bare = [coreWasm(), new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])];
    for (const wasm of bare) assert.ok(WebAssembly.validate(metered(wasm)));
  });

  it('may be as large as a real program', async () => {
    for (const name of ['@jitl/quickjs-ng-wasmfile-release-sync/wasm', 'quickjs-ng-0.31/wasm']) {
      const path = fileURLToPath(import.meta.resolve(name));
      const wasm = metered(await readFile(path));
      assert.ok(WebAssembly.validate(wasm), name);
    }
  });
});

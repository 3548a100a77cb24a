import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FuelMeter } from '../../src/guest/fuel/metering.ts';
import { prepareCore } from '../../src/module/core-module.ts';
import { scanCore } from '../../src/module/core-scan.ts';
import { testMetering } from '../fixtures/test-metering.ts';
import { coreModule, coreWasm, i32, wasiModule, wasmFromText } from '@mvm-ci/testkit';

const memoryBytesMax = 4 * 65_536;
const prepare = (parts: Parameters<typeof coreWasm>[0]): Promise<WebAssembly.Module> =>
  prepareCore(coreModule(coreWasm(parts)), memoryBytesMax);
const drop = 0x1a;
const isGrow = (value: unknown): value is (elements: number) => unknown => typeof value === 'function';

describe('a core module', () => {
  it('is compiled when it has what it needs', async () => {
    assert.ok((await prepare({})) instanceof WebAssembly.Module);
  });

  it('may not grow beyond the limit, whatever maximum it has', async () => {
    for (const memory of [
      [1, 0, 1],
      [1, 1, 1, 2],
      [1, 1, 1, 200, 1],
    ]) {
      const module = await prepare({ memory });
      const { memory: grown } = new WebAssembly.Instance(module, {}).exports;
      assert.ok(grown instanceof WebAssembly.Memory);
      const most = memory.length === 4 ? 2 : 4;
      grown.grow(most - 1);
      assert.throws(() => grown.grow(1), RangeError);
    }
  });

  const withTable = async (table: string): Promise<WebAssembly.Module> =>
    prepareCore(
      coreModule(
        await wasmFromText(`(module (memory (export "memory") 1) (table ${table} funcref)
          (func (export "mvm_alloc") (param i32) (result i32) (table.grow 0 (ref.null func) (local.get 0)))
          (func (export "mvm_step") (param i32 i32) (result i64) (i64.const 0)))`),
      ),
      memoryBytesMax,
    );

  it('may not grow a table beyond the limit, whatever maximum it has', async () => {
    for (const [table, most] of [
      ['10', 100_000],
      ['10 200', 200],
      ['10 4000000', 100_000],
    ] as const) {
      const { exports } = new WebAssembly.Instance(await withTable(table), {});
      new FuelMeter(testMetering()).attach(exports);
      const { mvm_alloc: grow } = exports;
      assert.ok(isGrow(grow));
      assert.equal(grow(most - 9), -1);
      assert.equal(grow(most - 10), 10);
      assert.equal(grow(1), -1);
    }
  });

  it('is refused when a table starts with more elements than it may have, which are counted with the offset', async () => {
    await assert.rejects(withTable('100001'), {
      code: 'MODULE_INVALID',
      message: /100000 .* 100001 \(at offset \d+\)/,
    });
  });

  it('is refused when it starts with more memory than a guest may have', async () => {
    await assert.rejects(prepare({ memory: [1, 0, 5] }), { code: 'MODULE_INVALID', message: /262144 .* 327680/ });
  });

  it('is refused with an import, which is named', async () => {
    await assert.rejects(
      prepare({
        imports: [
          ['env', 'now'],
          ['env', 'more'],
        ],
      }),
      {
        code: 'MODULE_UNKNOWN_IMPORT',
        message: /"env\.now" and 1 more/,
      },
    );
  });

  it('may have more types than a call takes arguments', () => {
    const leb = (value: number): number[] => [(value & 0x7f) | 0x80, ((value >> 7) & 0x7f) | 0x80, value >> 14];
    const types = Array.from({ length: 200_000 }, () => [0x60, 0, 0]);
    const section = [...leb(types.length), ...types.flat()];
    const bytes = new Uint8Array([...new Uint8Array(8), 1, ...leb(section.length), ...section]);
    assert.throws(() => scanCore(bytes), { code: 'MODULE_INVALID', message: /must export "memory"/ });
  });

  it('is refused without one of its exports, or with one of another type', async () => {
    const without = (...exports: [string, string, string]): Promise<unknown> => prepare({ exports });
    await assert.rejects(without('mem', 'mvm_alloc', 'mvm_step'), {
      code: 'MODULE_INVALID',
      message: /export "memory"/,
    });
    await assert.rejects(without('memory', 'a', 'mvm_step'), { code: 'MODULE_INVALID', message: /export "mvm_alloc"/ });
    await assert.rejects(without('memory', 'mvm_alloc', 's'), { code: 'MODULE_INVALID', message: /export "mvm_step"/ });
    await assert.rejects(without('memory', 'mvm_step', 'mvm_alloc'), {
      code: 'MODULE_INVALID',
      message: /"mvm_alloc" must be a function \(i32\) → \(i32\), this one is \(i32, i32\) → \(i64\)/,
    });
  });

  it('is refused with a construct that is not the same on every machine, named with its offset', async () => {
    const refused = async (parts: Parameters<typeof coreWasm>[0], construct: RegExp): Promise<void> =>
      assert.rejects(prepare(parts), { code: 'MODULE_INVALID', message: construct });
    const v128 = [0xfd, 12, ...Array.from({ length: 16 }, () => 0)];
    const relaxed = [...v128, ...v128, 0xfd, 0x80, 0x02, drop, 0x42, 0];
    await refused({ memory: [1, 3, 1, 2] }, /a shared memory \(at offset \d+\)/);
    await refused({ memory: [1, 4, 1] }, /a 64-bit memory/);
    await refused({ memory: [2, 0, 1, 0, 1] }, /2 memories/);
    await refused({ step: [...i32(0), 0xfe, 0x10, 2, 0, drop, 0x42, 0] }, /an atomic instruction/);
    await refused({ step: relaxed }, /relaxed SIMD/);
    await refused({ step: [...i32(1), 0xfb, 0x1c, drop, 0x42, 0] }, /garbage-collected objects/);
  });

  it('may use SIMD, bulk memory, branches and every kind of constant', async () => {
    const step = [
      253,
      12,
      ...Array.from({ length: 16 }, () => 254),
      drop,
      ...i32(0),
      ...i32(254),
      ...i32(4),
      252,
      11,
      0,
      68,
      254,
      254,
      0,
      0,
      0,
      0,
      0,
      0,
      drop,
      67,
      254,
      0,
      0,
      0,
      drop,
      2,
      64,
      ...i32(0),
      14,
      1,
      0,
      0,
      11,
      66,
      0,
    ];
    assert.ok((await prepare({ step })) instanceof WebAssembly.Module);
  });

  it('is refused when it is cut, garbled or empty', async () => {
    const wasm = coreWasm();
    for (const code of [wasm.subarray(0, 40), wasm.toReversed(), new Uint8Array()])
      await assert.rejects(prepareCore(coreModule(code), memoryBytesMax), {
        code: 'MODULE_INVALID',
        message: /not a valid WebAssembly module/,
      });
  });
});

describe('a wasi module', () => {
  const wasi = async (text: string): Promise<WebAssembly.Module> =>
    prepareCore(wasiModule(await wasmFromText(text)), memoryBytesMax);
  const body = '(memory (export "memory") 1) (func (export "_start"))';

  it('may import functions of WASI and of mvm', async () => {
    const imports = `(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
      (import "mvm" "wait" (func (param i32) (result i32)))`;
    assert.ok((await wasi(`(module ${imports} ${body})`)) instanceof WebAssembly.Module);
  });

  it('is refused with any other import, or one of another type, named with its offset', async () => {
    const refused = async (imported: string, message: RegExp): Promise<void> =>
      assert.rejects(wasi(`(module ${imported} ${body})`), { code: 'MODULE_UNKNOWN_IMPORT', message });
    await refused('(import "env" "now" (func))', /"env\.now" \(at offset \d+\), which is no function of WASI/);
    await refused(
      '(import "mvm" "wait" (func (param i64) (result i32)))',
      /"mvm\.wait" .* a function \(i32\) → \(i32\) there, and \(i64\) → \(i32\) here/,
    );
    await refused('(import "mvm" "wait" (global i32))', /"mvm\.wait" .* and no function here/);
    await refused('(import "env" "table" (table 1 funcref))', /"env\.table"/);
  });

  it('is refused without _start or memory, and may grow no further than any other', async () => {
    const failing = { code: 'MODULE_INVALID' };
    await assert.rejects(wasi('(module (memory (export "memory") 1))'), {
      ...failing,
      message: /a wasi module must export "_start", a function \(\) → \(\)/,
    });
    await assert.rejects(wasi('(module (memory 1) (func (export "_start")))'), { ...failing, message: /"memory"/ });
    await assert.rejects(wasi('(module (memory (export "memory") 5) (func (export "_start")))'), failing);
  });
});

describe('a flawless module', () => {
  const flawless = async (imports: string, more = ''): Promise<WebAssembly.Module> => {
    const text = `(module ${imports} (memory (export "memory") 1)
      (func (export "wasabi::alloc") (param i32) (result i32) (i32.const 0))
      (func (export "#flawless#workflow#init#a") (result i32) (i32.const 0)) ${more}
      (func (export "#flawless#workflow#run#a")))`;
    return prepareCore({ ...wasiModule(await wasmFromText(text)), kind: 'flawless' }, memoryBytesMax);
  };
  const submit = '(import "wasabi" "submit" (func (param i32 i32 i32 i32) (result i32)))';

  it('has one import, or none', async () => {
    assert.ok((await flawless(submit)) instanceof WebAssembly.Module);
    assert.ok((await flawless('')) instanceof WebAssembly.Module);
  });

  it('is refused with another import, or one of another type, named with its offset', async () => {
    const refused = { code: 'MODULE_UNKNOWN_IMPORT' };
    await assert.rejects(flawless(`${submit} (import "env" "now" (func))`), {
      ...refused,
      message: /"env\.now", \(\) → \(\) \(at offset \d+\): .* "wasabi\.submit"/,
    });
    await assert.rejects(flawless('(import "wasabi" "submit" (func (param i64)))'), {
      ...refused,
      message: /"wasabi\.submit", \(i64\) → \(\)/,
    });
  });

  it('is refused when a workflow lacks one of its functions', async () => {
    await assert.rejects(flawless(submit, '(func (export "#flawless#workflow#run#b"))'), {
      code: 'MODULE_INVALID',
      message: /"#flawless#workflow#init#b"/,
    });
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { admitModule } from '../../src/index.ts';
import { coreModule, coreWasm } from '@mvm-ci/testkit';
import { scriptModule, wasiModule, wasmFromText, workflowModule } from '@mvm-ci/testkit';

const limits = { stepMsMax: 500, stepGraceMs: 300 };
/** `workflow.js:2:…` is line 7 of `src/flow.ts`. */
const sourceMap = new TextEncoder().encode(
  JSON.stringify({ version: 3, sources: ['src/flow.ts'], names: [], mappings: ';AAMA' }),
);

describe('admission', () => {
  it('tells the workflows of a script that loads', async () => {
    assert.deepEqual(await admitModule(workflowModule('return 1;')), { workflows: ['main'] });
  });

  it('names file and line of the author for a syntax error and for a throw at load', async () => {
    await assert.rejects(admitModule(scriptModule('const a = 1;\nconst b = ;', sourceMap)), {
      code: 'MODULE_SYNTAX_ERROR',
      message: /src\/flow\.ts:7:/,
    });
    await assert.rejects(admitModule(scriptModule('const a = undefined;\na.b;', sourceMap)), {
      code: 'MODULE_LOAD_FAILED',
      message: /src\/flow\.ts:7:/,
    });
  });

  it('takes a script that parses bad JSON at load for one that throws, not for a syntax error', async () => {
    await assert.rejects(admitModule(scriptModule('JSON.parse("{")')), { code: 'MODULE_LOAD_FAILED' });
  });

  it('refuses a script of another runtime, one that is not UTF-8, and one that lacks a workflow of its file', async () => {
    const file = workflowModule('return 1;');
    await assert.rejects(admitModule({ ...file, runtime: 'quickjs-ng/0.1.0' }), {
      code: 'RUNTIME_NOT_INSTALLED',
      message: /"quickjs-ng\/0\.1\.0"/,
    });
    await assert.rejects(admitModule({ ...file, code: new Uint8Array([0xff]) }), { code: 'MODULE_INVALID' });
    await assert.rejects(admitModule({ ...file, workflows: ['main', 'absent'] }), {
      code: 'MODULE_INVALID',
      message: /"absent"/,
    });
  });

  it('ends a script that loads for ever, also inside of a native function', async () => {
    await assert.rejects(admitModule(scriptModule('for (;;) {}'), { limits }), { code: 'STEP_TIMEOUT' });
    const native = scriptModule('[].indexOf.call({ length: 2 ** 53 - 1 }, 1);');
    await assert.rejects(admitModule(native, { limits }), { code: 'STEP_TIMEOUT' });
  });

  it('ends a core module whose start function never returns, and reports one that traps', async () => {
    const loop = [0x03, 0x40, 0x0c, 0, 0x0b];
    await assert.rejects(admitModule(coreModule(coreWasm({ start: loop })), { limits }), { code: 'STEP_TIMEOUT' });
    await assert.rejects(admitModule(coreModule(coreWasm({ start: [0x00] }))), { code: 'MODULE_LOAD_FAILED' });
  });

  it('admits a core module with the workflows of its file', async () => {
    assert.deepEqual(await admitModule(coreModule(coreWasm())), { workflows: ['main'] });
  });

  it('loads programs too: one whose start function never returns or traps is refused', async () => {
    const wasi = async (functions: string, imports = ''): Promise<unknown> =>
      admitModule(
        wasiModule(
          await wasmFromText(`(module ${imports} (memory (export "memory") 1) (func (export "_start")) ${functions})`),
        ),
        { limits },
      );
    assert.deepEqual(await wasi('(func $fine) (start $fine)'), { workflows: ['main'] });
    const exit = '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))';
    assert.deepEqual(await wasi('(func $end (call $exit (i32.const 3))) (start $end)', exit), { workflows: ['main'] });
    await assert.rejects(wasi('(func $loop (loop $l (br $l))) (start $loop)'), { code: 'STEP_TIMEOUT' });
    await assert.rejects(wasi('(func $dive (call $dive)) (start $dive)'), { code: 'STACK_OVERFLOW' });
    await assert.rejects(wasi('(func $trap unreachable) (start $trap)'), { code: 'MODULE_LOAD_FAILED' });
    await assert.rejects(wasi('(data (i32.const 65536) "x")'), { code: 'MODULE_LOAD_FAILED' });
  });

  it('admits a module of the flawless crate with workflows that it has, and with no others', async () => {
    const code =
      await wasmFromText(`(module (memory (export "memory") 1) (func (export "wasabi::alloc") (param i32) (result i32) (i32.const 0))
      (func (export "#flawless#workflow#init#order") (result i32) (i32.const 0))
      (func (export "#flawless#workflow#run#order")))`);
    const file = { ...wasiModule(code), kind: 'flawless' } as const;
    assert.deepEqual(await admitModule({ ...file, workflows: ['order'] }), { workflows: ['order'] });
    await assert.rejects(admitModule(file), { code: 'MODULE_INVALID', message: /the workflow "main"/ });
  });

  it('stops when it is told to', async () => {
    await assert.rejects(admitModule(scriptModule('for (;;) {}'), { signal: AbortSignal.abort() }), {
      code: 'CANCELLED',
    });
    const abort = new AbortController();
    const admitted = admitModule(scriptModule('for (;;) {}'), { signal: abort.signal });
    setImmediate(() => abort.abort());
    await assert.rejects(admitted, { code: 'CANCELLED' });
  });
});

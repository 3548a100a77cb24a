import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { coreWasm } from '@mvm-ci/testkit';
import { exposeState } from '../../src/module/core-state.ts';
import { globalExportPrefix, resettableExport } from '../../src/module/own-names.ts';

const nothing = [0x42, 0];
const addedTo = (wasm: Uint8Array): readonly string[] => {
  const text = Buffer.from(exposeState(wasm)).toString('latin1');
  return [resettableExport, `${globalExportPrefix}0`].filter((name) => text.includes(name));
};

describe('the state of a core module', () => {
  it('is exported: its memory and the globals that it keeps to itself', () => {
    const exposed = new WebAssembly.Module(exposeState(coreWasm()));
    const names = WebAssembly.Module.exports(exposed).map(({ name, kind }) => `${kind} ${name}`);
    assert.deepEqual(names, [
      'memory memory',
      'function mvm_alloc',
      'function mvm_step',
      `memory ${resettableExport}`,
      `global ${globalExportPrefix}0`,
    ]);
  });

  // Not whole modules: what is looked for are the instructions.
  const changing: Readonly<Record<string, readonly number[]>> = {
    'table.set': [0x26, 0],
    'data.drop': [0xfc, 9, 0],
    'table.init': [0xfc, 12, 0, 0],
    'elem.drop': [0xfc, 13, 0],
    'table.copy': [0xfc, 14, 0, 0],
    'table.grow': [0xfc, 15, 0],
    'table.fill': [0xfc, 17, 0],
  };
  for (const [name, instruction] of Object.entries(changing))
    it(`is not taken for complete when there is a ${name}`, () => {
      assert.deepEqual(addedTo(coreWasm({ step: [...instruction, ...nothing] })), []);
    });

  it('is complete whatever the module does to its memory', () => {
    const bulk = [0xfc, 8, 0, 0, 0xfc, 10, 0, 0, 0xfc, 11, 0];
    assert.equal(addedTo(coreWasm({ step: [...bulk, 0xfc, 16, 0, ...nothing] })).length, 2);
  });

  it('is not taken for complete when a global holds more than a number', () => {
    // A mutable v128 in the place of the i64.
    const wasm = Buffer.from(coreWasm());
    const global = wasm.indexOf(Buffer.from([6, 6, 1, 0x7e, 1, 0x42, 0, 0x0b]));
    const vector = [0x7b, 1, 0xfd, 12, ...new Uint8Array(16), 0x0b];
    const changed = Buffer.concat([
      wasm.subarray(0, global),
      Buffer.from([6, 1 + vector.length, 1, ...vector]),
      wasm.subarray(global + 8),
    ]);
    assert.deepEqual(addedTo(changed), []);
  });
});

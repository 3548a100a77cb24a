import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { capture, findLayout, restore, type MemoryLayout } from '../../../src/guest/quickjs/memory-image.ts';
import { QuickJSInstance } from '../../../src/guest/quickjs/quickjs-instance.ts';
import { ScriptMachine, type StepInput } from '../../../src/guest/quickjs/script-machine.ts';
import { compileQuickjs } from '../../../src/system-quickjs.ts';
import { testMetering } from '../../fixtures/test-metering.ts';

/** A step's text, without bytes beside it. */
const told = (text: string): StepInput => ({ text, buffers: [] });

const limits = { stackBytesMax: 524_288, textBytesMax: 1_000_000 };
const script = `
  globalThis.mvm_workflows = () => '[]';
  globalThis.mvm_step = (text) => {
    const dive = (depth) => depth === 0 ? 0 : 1 + dive(depth - 1);
    dive(Number(text));
    globalThis.kept = Array.from({ length: 5000 }, (_, index) => text + index);
  };
  globalThis.mvm_flush = () => '[]';`;

describe('a memory image', () => {
  let module: WebAssembly.Module;
  let layout: MemoryLayout;
  const open = (): QuickJSInstance =>
    new QuickJSInstance({
      module,
      memoryBytesMax: 67_108_864,
      metering: testMetering(),
    });

  before(async () => {
    module = await compileQuickjs();
    layout = findLayout(open());
  });

  it('holds all that a script at rest is, so that it is the same in another instance', () => {
    const instance = open();
    ScriptMachine.load(instance, script, limits);
    const other = open();
    restore(layout, other, capture(layout, instance, limits.stackBytesMax));
    assert.ok(instance.bytes.equals(other.bytes), 'every byte of the memory');
  });

  it('undoes every byte of a job, however deep it went', () => {
    const instance = open();
    const machine = ScriptMachine.load(instance, script, limits);
    const image = capture(layout, instance, limits.stackBytesMax);
    const fresh = Buffer.from(instance.bytes);
    for (const depth of ['10', '300', '1000']) {
      machine.step(told(depth));
      assert.ok(!instance.bytes.equals(fresh));
      restore(layout, instance, image);
      assert.ok(instance.bytes.equals(fresh), `after a depth of ${depth}`);
    }
  });

  it('finds the same layout in every instance', () => {
    assert.deepEqual(findLayout(open()), layout);
  });
});

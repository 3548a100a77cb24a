import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import {
  applyDifference,
  differenceOf,
  memoryHash,
  type Origin,
} from '../../../src/guest/quickjs/memory-difference.ts';
import { capture, findLayout, imageHash, restore, type MemoryLayout } from '../../../src/guest/quickjs/memory-image.ts';
import { QuickJSInstance } from '../../../src/guest/quickjs/quickjs-instance.ts';
import { ScriptMachine, type StepInput } from '../../../src/guest/quickjs/script-machine.ts';
import { compileQuickjs } from '../../../src/system-quickjs.ts';
import { testMetering } from '../../fixtures/test-metering.ts';

/** A step's text, without bytes beside it. */
const told = (text: string): StepInput => ({ text, buffers: [] });

const limits = { stackBytesMax: 524_288, textBytesMax: 1_000_000 };
const memoryBytesMax = 67_108_864;
const head = { fuel: 12_345, seed: new Uint8Array(32).fill(9) };
/** Keeps what it is told: `[depth of the stack, numbers to keep]`. */
const script = `
  globalThis.mvm_workflows = () => '[]';
  globalThis.mvm_step = (text) => {
    const [depth, count] = JSON.parse(text);
    const dive = (left) => left === 0 ? 0 : 1 + dive(left - 1);
    dive(depth);
    globalThis.kept = Array.from({ length: count }, (_, index) => text + index);
  };
  globalThis.mvm_flush = () => '[]';`;

describe("the difference of a guest's memory to its image", () => {
  let module: WebAssembly.Module;
  let layout: MemoryLayout;
  const open = (): QuickJSInstance => new QuickJSInstance({ module, memoryBytesMax, metering: testMetering() });

  before(async () => {
    module = await compileQuickjs();
    layout = findLayout(open());
  });

  interface Loaded extends Origin {
    readonly instance: QuickJSInstance;
    readonly machine: ScriptMachine;
  }
  const load = (): Loaded => {
    const instance = open();
    const machine = ScriptMachine.load(instance, script, limits);
    return { instance, machine, layout, image: capture(layout, instance, limits.stackBytesMax) };
  };
  /** Another instance that starts from the image. */
  const fresh = ({ image }: Loaded): QuickJSInstance => {
    const other = open();
    restore(layout, other, image);
    return other;
  };

  const states: Readonly<Record<string, readonly string[]>> = {
    'a guest that did nothing': [],
    'one that kept something': ['[1, 5000]'],
    'one that dived deep into its stack': ['[1000, 1]'],
    'one whose memory grew': ['[1, 200000]', '[1, 1]'],
  };
  for (const [name, steps] of Object.entries(states))
    it(`gives another instance every byte of the memory: ${name}`, () => {
      const loaded = load();
      for (const step of steps) loaded.machine.step(told(step));
      const other = fresh(loaded);
      assert.deepEqual(applyDifference(other, differenceOf(loaded.instance, loaded, head), memoryBytesMax), head);
      assert.ok(loaded.instance.bytes.equals(other.bytes));
      assert.equal(memoryHash(other, loaded), memoryHash(loaded.instance, loaded));
    });

  it('is small, whatever the size of the memory', () => {
    const loaded = load();
    loaded.machine.step(told('[1, 50]'));
    assert.ok(differenceOf(loaded.instance, loaded, head).length < 65_536);
  });

  it('changes nothing when it is damaged, cut, or something else', () => {
    const loaded = load();
    loaded.machine.step(told('[1, 100]'));
    const whole = differenceOf(loaded.instance, loaded, head);
    const damaged = whole.map((byte, index) => (index === whole.length >> 1 ? byte ^ 1 : byte));
    const outside = Buffer.alloc(48 + 8 + 4);
    outside.writeUInt32LE(1, 0);
    outside.writeUInt32LE(loaded.instance.bytes.length, 4);
    outside.writeUInt32LE(loaded.instance.bytes.length - 3, 48);
    outside.writeUInt32LE(4, 52);
    const wrong = [damaged, whole.subarray(0, -5), new Uint8Array(), zstdCompressSync(Buffer.alloc(20)), outside];
    for (const bytes of [...wrong, new Uint8Array(zstdCompressSync(outside))]) {
      const other = fresh(loaded);
      const bytesBefore = Buffer.from(other.bytes);
      assert.equal(applyDifference(other, bytes, memoryBytesMax), undefined);
      assert.ok(other.bytes.equals(bytesBefore));
    }
  });

  it('is refused beyond the memory that a guest may have', () => {
    const loaded = load();
    loaded.machine.step(told('[1, 200000]'));
    const difference = differenceOf(loaded.instance, loaded, head);
    assert.ok(loaded.instance.hasGrown);
    assert.equal(applyDifference(fresh(loaded), difference, loaded.instance.bytes.length - 65_536), undefined);
  });

  it('is to an image that is the same each time the script is loaded, and another one for another script', () => {
    const hashes = [script, script, `${script};1`].map((text) => {
      const instance = open();
      ScriptMachine.load(instance, text, limits);
      return imageHash(capture(layout, instance, limits.stackBytesMax), limits);
    });
    assert.equal(hashes[0], hashes[1]);
    assert.notEqual(hashes[0], hashes[2]);
  });
});

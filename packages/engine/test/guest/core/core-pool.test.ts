import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Intent } from '@mvm-ci/protocol';
import { coreModule, coreWasm, encodeWireIntents, i32, scriptedCore } from '@mvm-ci/testkit';
import { CorePool } from '../../../src/guest/core/core-pool.ts';
import { GuestFault } from '../../../src/guest/guest.ts';
import { prepareCore } from '../../../src/module/core-module.ts';
import { testMetering } from '../../fixtures/test-metering.ts';

const memoryBytesMax = 4 * 65_536;
const poolOf = async (wasm: Uint8Array): Promise<CorePool> =>
  new CorePool(await prepareCore(coreModule(wasm), memoryBytesMax), testMetering());
const activation = { now: 1, events: [] };
const log = (text: string): Intent => ({ type: 'log', level: 'info', text });
const steps = [[log('first')], [log('second')], [{ type: 'complete', result: '1' } satisfies Intent]];

/** As `scriptedCore`, but it counts its steps in memory, and leaves marks there. */
const countingInMemory = (intents: readonly Uint8Array[]): Uint8Array => {
  const [counter, table, texts] = [512, 8_192, 16_384];
  const load = [...i32(counter), 0x28, 2, 0];
  const step = [...i32(counter), ...load, ...i32(1), 0x6a, 0x36, 2, 0];
  const result = [...load, ...i32(1), 0x6b, ...i32(8), 0x6c, 0x29, 3, (table & 0x7f) | 0x80, table >> 7];
  const places = Buffer.alloc(intents.length * 8);
  let at = texts;
  const data = intents.map((bytes, index): [number, Uint8Array] => {
    places.writeUInt32LE(bytes.length, index * 8);
    places.writeUInt32LE(at, index * 8 + 4);
    at += bytes.length;
    return [at - bytes.length, bytes];
  });
  return coreWasm({ step: [...step, ...result], data: [[table, places], ...data] });
};

describe('the pool of a core module', () => {
  const encoded = steps.map(encodeWireIntents);
  for (const [what, wasm] of Object.entries({
    'a global that the module does not export': scriptedCore(encoded),
    memory: countingInMemory(encoded),
  }))
    it(`gives a used instance to the next guest as a fresh one: ${what}`, async () => {
      const pool = await poolOf(wasm);
      for (let round = 1; round <= 3; round += 1) {
        const guest = pool.open();
        assert.deepEqual(
          [1, 2, 3].map(() => guest.step(activation)),
          steps,
        );
        guest.close();
        assert.equal(pool.idleInstances, 1);
      }
    });

  it('keeps the guests of a module apart that are there together', async () => {
    const pool = await poolOf(scriptedCore(encoded));
    const [one, two] = [pool.open(), pool.open()];
    assert.deepEqual(
      [one.step(activation), one.step(activation), two.step(activation)],
      [steps[0], steps[1], steps[0]],
    );
    one.close();
    two.close();
    assert.equal(pool.idleInstances, 2);
  });

  it('does not keep an instance whose guest failed', async () => {
    const pool = await poolOf(coreWasm({ step: [0x00] }));
    const guest = pool.open();
    assert.throws(() => guest.step(activation), GuestFault);
    guest.close();
    assert.equal(pool.idleInstances, 0);
  });

  it('does not keep an instance whose memory grew', async () => {
    const [empty] = [encodeWireIntents([])];
    const result = [0x42, ...signedLeb((BigInt(4_096) << 32n) | BigInt(empty.length))];
    const grown = await poolOf(coreWasm({ step: [...i32(1), 0x40, 0, 0x1a, ...result], data: [[4_096, empty]] }));
    const same = await poolOf(coreWasm({ step: result, data: [[4_096, empty]] }));
    for (const pool of [grown, same]) {
      const guest = pool.open();
      assert.deepEqual(guest.step(activation), []);
      guest.close();
    }
    assert.deepEqual([grown.idleInstances, same.idleInstances], [0, 1]);
  });
});

const signedLeb = (value: bigint): number[] =>
  value < 64n ? [Number(value)] : [Number(value & 0x7fn) | 0x80, ...signedLeb(value >> 7n)];

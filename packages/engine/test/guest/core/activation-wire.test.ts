import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { writeActivation } from '../../../src/guest/core/activation-wire.ts';
import { readIntents } from '../../../src/guest/core/intent-wire.ts';
import { WireWriter } from '../../../src/guest/core/wire-writer.ts';
import type { Activation } from '../../../src/run/activation.ts';
import type { Answer, Intent } from '@mvm-ci/protocol';
import { encodeWireIntents } from '@mvm-ci/testkit';

const hexOf = (activation: Activation): string => {
  const writer = new WireWriter();
  writeActivation(writer, activation);
  return writer.written.toHex();
};

describe('the binary encoding', () => {
  it('is the one that the specification shows', () => {
    const slept: Activation = { now: 1_000, events: [{ type: 'answer', call: 1, answer: { type: 'slept' } }] };
    assert.equal(hexOf(slept), '010000000000408f40010000000201000000');
    const sleep = Uint8Array.fromHex('010100000001020000000000000000406f40');
    assert.deepEqual(readIntents(sleep), [{ type: 'sleep', call: 2, ms: 250 }]);
  });

  it('writes every kind of event by its field order', () => {
    const seed = new Uint8Array(32).fill(0xab);
    const start: Activation = {
      now: 0,
      events: [{ type: 'start', job: 'j', attempt: 2, workflow: 'w', input: '1', seed }],
    };
    assert.equal(hexOf(start), `01${'00'.repeat(8)}0100000000010000006a0200000001000000770100000031${'ab'.repeat(32)}`);
    const failed: Activation = {
      now: 0,
      events: [{ type: 'answer', call: 3, answer: { type: 'error', code: 'C', message: 'm' } }],
    };
    assert.equal(hexOf(failed), `01${'00'.repeat(8)}0100000003030000000100000043010000006d`);
  });

  it('gives back every kind of intent that stays inside the system, and a fetch with blobs', () => {
    const fetch = { method: 'PUT', url: 'u', headers: [], body: null, redirect: 'follow', timeoutMs: 1 } as const;
    const intents: readonly Intent[] = [
      { type: 'fetch', call: 1, ...fetch, idempotent: null, key: null, into: 'blob', bodyBlob: 'ab'.repeat(32) },
      { type: 'receive', call: 2, types: ['a', 'b'] },
      { type: 'receive', call: 3, types: null },
      { type: 'start', call: 4, job: null, workflow: 'w', input: '{"a":1}', attemptsMax: 2, detached: true },
      { type: 'join', call: 5, job: 'j' },
      { type: 'send', call: 6, job: 'j', messageType: 't', data: '[1]' },
      { type: 'respond', value: '1' },
      { type: 'group', action: 'close', id: 7, name: '' },
      { type: 'version', change: 'c' },
    ];
    assert.deepEqual(readIntents(encodeWireIntents(intents)), intents);
  });

  it('tells what came from inside the system by its field order', () => {
    const told = (answer: Answer): string => hexOf({ now: 0, events: [{ type: 'answer', call: 1, answer }] }).slice(26);
    const call = '01000000';
    assert.equal(
      told({ type: 'message', item: 9, from: null, messageType: 't', data: '1' }),
      `04${call}0001000000740100000031`,
    );
    assert.equal(told({ type: 'started', job: 'j' }), `05${call}010000006a`);
    assert.equal(
      told({ type: 'joined', item: 9, outcome: { type: 'completed', result: '1' } }),
      `06${call}000100000031`,
    );
    assert.equal(told({ type: 'sent' }), `07${call}`);
    const version: Activation = { now: 0, events: [{ type: 'version', change: 'c', chosen: true }] };
    assert.equal(hexOf(version).slice(26), '08010000006301');
  });

  it('refuses every cut, and bytes behind the end', () => {
    const whole = encodeWireIntents([
      { type: 'log', level: 'debug', text: 'text' },
      { type: 'fail', code: 'c', name: 'n', message: 'm', stack: 's' },
    ]);
    for (let length = 0; length < whole.length; length += 1)
      assert.throws(() => readIntents(whole.subarray(0, length)), { name: 'GuestFault' }, `cut at ${length}`);
    assert.throws(() => readIntents(Buffer.concat([whole, Buffer.from([0])])), /the end was expected/);
    assert.equal(readIntents(whole).length, 2);
  });

  it('refuses numbers that stand for nothing', () => {
    const refuse = (hex: string, rule: RegExp): void => assert.throws(() => readIntents(Uint8Array.fromHex(hex)), rule);
    refuse('01010000000f', /an intent tag of 0 to 14/);
    refuse('01010000000309', /a number below 4/);
    refuse(`01010000000100000000${'00'.repeat(8)}`, /a call number from 1/);
    refuse('010100000005010000007b', /a result in JSON/);
    refuse('0110270000', /end in a value/);
    refuse('01ffffffff', /at most 10000 intents in one step, received 4294967295/);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Intent } from '@mvm-ci/protocol';
import { coreModule, encodeWireIntents, scriptedCore } from '@mvm-ci/testkit';
import type { CoreGuest } from '../../../src/guest/core/core-guest.ts';
import { CorePool } from '../../../src/guest/core/core-pool.ts';
import { readIntents, writeIntents } from '../../../src/guest/core/intent-wire.ts';
import { packRecorded, takeRecorded } from '../../../src/guest/core/recorded-wire.ts';
import { WireWriter } from '../../../src/guest/core/wire-writer.ts';
import type { StepOutcome } from '../../../src/guest/guest.ts';
import { takeSteps } from '../../../src/guest/take-steps.ts';
import { prepareCore } from '../../../src/module/core-module.ts';
import type { GuestStep } from '../../../src/run/activation.ts';
import { testMetering } from '../../fixtures/test-metering.ts';

const fetch = { type: 'fetch', method: 'PUT', url: 'u', redirect: 'manual', timeoutMs: 7 } as const;
const everyKind: readonly Intent[] = [
  { ...fetch, call: 1, headers: [], body: null, idempotent: null, key: null },
  { ...fetch, call: 2, headers: [['a', 'é']], body: new Uint8Array([0, 255]), idempotent: false, key: 'k' },
  { ...fetch, call: 3, headers: [], body: null, idempotent: true, key: null, into: 'blob', bodyBlob: 'ab'.repeat(32) },
  { ...fetch, call: 4, headers: [], body: null, idempotent: true, key: null, bodyBlob: 'cd'.repeat(32) },
  { type: 'sleep', call: 5, ms: 2 ** 40 },
  { type: 'abandon', call: 5 },
  { type: 'log', level: 'warn', text: 'ü' },
  { type: 'progress', percent: 12.5, text: '' },
  { type: 'receive', call: 6, types: ['a', 'b'] },
  { type: 'receive', call: 7, types: null },
  { type: 'start', call: 8, job: null, workflow: 'w', input: '{"a":1}', attemptsMax: 2, detached: true },
  { type: 'start', call: 9, job: 'j', workflow: 'w', input: '1', attemptsMax: 1, detached: false },
  { type: 'join', call: 10, job: 'j' },
  { type: 'send', call: 11, job: 'j', messageType: 't', data: '[1]' },
  { type: 'respond', value: '1' },
  { type: 'group', action: 'open', id: 1, name: 'g' },
  { type: 'group', action: 'close', id: 1, name: 'g' },
  { type: 'version', change: 'c' },
  { type: 'complete', result: '{"a":"ü"}' },
  { type: 'fail', code: 'c', name: 'n', message: 'm', stack: 's' },
];

const sleep = (call: number): Intent => ({ type: 'sleep', call, ms: 5 });
const stepOf = (recorded: readonly Intent[] | null): GuestStep => ({ activation: { now: 1, events: [] }, recorded });
const where = { enter: (): void => undefined, leave: (): void => undefined };

/** A guest whose steps ask for these, one after the other. */
const guestOf = async (steps: readonly Uint8Array[]): Promise<CoreGuest> =>
  new CorePool(await prepareCore(coreModule(scriptedCore(steps)), 4 * 65_536), testMetering()).open();

const takePacked = async (asked: readonly Uint8Array[], recorded: readonly GuestStep[]): Promise<StepOutcome> => {
  const packed = packRecorded(recorded);
  assert(packed);
  return takeRecorded(await guestOf(asked), packed, where);
};

describe('recorded steps as bytes', () => {
  it('hold every kind of intent as a guest would write it', () => {
    const writer = new WireWriter();
    writeIntents(writer, everyKind);
    assert.deepEqual(readIntents(writer.written), everyKind);
    assert.equal(writer.written.toHex(), encodeWireIntents(everyKind).toHex());
  });

  it('end as the same steps do that are fed one by one', async () => {
    const asked = [[sleep(1)], [sleep(2)], [sleep(3), sleep(4)]];
    const bytes = asked.map(encodeWireIntents);
    const cases = [asked, asked.slice(0, 1), [[sleep(1)], [sleep(9)]], [[sleep(1)], [sleep(2)], [sleep(3)]]];
    for (const recorded of cases) {
      const steps = recorded.map(stepOf);
      assert.deepEqual(await takePacked(bytes, steps), await takeSteps(await guestOf(bytes), steps, where));
    }
  });

  it('are the same when the guest writes the same JSON in another way', async () => {
    const recorded: Intent = { type: 'complete', result: '{"a":1}' };
    const asked = encodeWireIntents([{ type: 'complete', result: '{ "a" : 1.0 }' }]);
    assert.deepEqual(await takePacked([asked], [stepOf([recorded])]), { type: 'stepped', intents: [recorded] });
  });

  it('let a guest of changed code ask for a version within a step that has none recorded', async () => {
    const asked = [[sleep(1)], [{ type: 'version', change: 'c' } as const], [sleep(2)], [sleep(3)]];
    const steps = [[sleep(1)], [sleep(2)], [sleep(3)]].map(stepOf);
    assert.deepEqual(await takePacked(asked.map(encodeWireIntents), steps), { type: 'stepped', intents: [sleep(3)] });
  });

  it("are refused as the guest's fault when it writes something else than intents", async () => {
    await assert.rejects(takePacked([new Uint8Array([1, 1, 0, 0, 0, 99])], [stepOf([sleep(1)])]), {
      name: 'GuestFault',
    });
  });

  it('are not made of a step that is live, or that recorded a version', () => {
    assert.equal(packRecorded([stepOf([sleep(1)]), stepOf(null)]), undefined);
    assert.equal(packRecorded([stepOf([{ type: 'version', change: 'c' }])]), undefined);
  });
});

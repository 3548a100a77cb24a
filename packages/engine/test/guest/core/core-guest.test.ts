import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Intent } from '@mvm-ci/protocol';
import { MemoryJournal } from '../../../src/index.ts';
import { coreModule, coreWasm, i32, scriptedCore } from '@mvm-ci/testkit';
import { EchoPerformer, failureOf, openTestEngine, resultOf } from '../../fixtures/test-engine.ts';
import { encodeWireIntents } from '@mvm-ci/testkit';

const fetchOf = (call: number): Intent => ({
  type: 'fetch',
  call,
  method: 'GET',
  url: 'http://site/ü',
  headers: [['accept', '*/*']],
  body: new Uint8Array([0, 255]),
  redirect: 'manual',
  timeoutMs: 1_000,
  idempotent: true,
  key: null,
});
const steps: readonly Intent[][] = [
  [
    { type: 'log', level: 'warn', text: 'begin ü' },
    fetchOf(1),
    { type: 'sleep', call: 2, ms: 0.5 },
    { type: 'sleep', call: 3, ms: 1e9 },
  ],
  [{ type: 'progress', percent: 50, text: 'half' }],
  [fetchOf(4), { type: 'abandon', call: 3 }],
  [{ type: 'complete', result: '{"a": [1]}' }],
];
const module = coreModule(scriptedCore(steps.map(encodeWireIntents)));

describe('a core guest', () => {
  it('runs to its result, and its intents are journalled as those of any other guest', async () => {
    await using engine = await openTestEngine({ modules: { module } });
    const { end, entries } = await engine.finish('module');
    assert.deepEqual(resultOf(end), { a: [1] });
    const intents = entries.flatMap((entry) => (entry.kind === 'intents' ? [entry.intents] : []));
    assert.deepEqual(intents.slice(0, 3), steps.slice(0, 3));
    assert.deepEqual(intents[3], [{ type: 'complete', result: '{"a":[1]}' }], 'the result in canonical JSON');
  });

  it('goes on from any place in its journal', async () => {
    const performer = new EchoPerformer();
    await using engine = await openTestEngine({ modules: { module }, performer });
    const { entries } = await engine.finish('module');
    for (let cut = 1; cut < entries.length; cut += 1) {
      const journal = new MemoryJournal(entries.slice(0, cut));
      assert.deepEqual(resultOf((await engine.finish('module', { journal })).end), { a: [1] }, `cut at ${cut}`);
    }
  });
});

describe('a poisonous core guest', () => {
  const poisons: Readonly<Record<string, readonly [step: readonly number[], code: string, message?: RegExp]>> = {
    'a trap': [[0x00], 'GUEST_TRAPPED', /unreachable/],
    'an endless loop': [[0x03, 0x40, 0x0c, 0, 0x0b, 0x42, 0], 'STEP_TIMEOUT'],
    'endless recursion': [[...i32(0), ...i32(0), 0x10, 1], 'GUEST_TRAPPED', /stack/],
    'intents outside of its memory': [[0x42, 0x7f], 'GUEST_PROTOCOL', /outside of the guest's memory/],
    'no intents at all': [[0x42, 0], 'GUEST_PROTOCOL', /0 bytes end in a value of 1 bytes/],
    'intents of another version': [[0x42, 5], 'GUEST_PROTOCOL', /version 1/],
  };

  for (const [name, [step, code, message]] of Object.entries(poisons))
    it(`harms only its own job: ${name}`, async () => {
      const limits = { stepMsMax: 400, stepGraceMs: 300 };
      const poison = coreModule(coreWasm({ step }));
      await using engine = await openTestEngine({ modules: { module, poison }, limits });
      const [harmed, other] = await Promise.all([engine.finish('poison', { job: 'p' }), engine.finish('module')]);
      const failure = failureOf(harmed.end);
      assert.equal(failure?.code, code, JSON.stringify(harmed.end));
      if (message) assert.match(failure.message, message);
      assert.deepEqual(resultOf(other.end), { a: [1] });
    });
});

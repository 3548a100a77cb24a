import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Intent } from '@mvm-ci/protocol';
import { MemoryJournal } from '../../../src/index.ts';
import { coreModule, scriptedCore } from '@mvm-ci/testkit';
import { EchoPerformer, openTestEngine, resultOf } from '../../fixtures/test-engine.ts';
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

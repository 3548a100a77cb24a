import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FetchIntent, Intent } from '@mvm-ci/protocol';
import { GuestFault } from '../../src/guest/guest.ts';
import { checkIntents } from '../../src/guest/intent-rules.ts';

const fetchOf = (more: Partial<FetchIntent> = {}): FetchIntent => ({
  type: 'fetch',
  call: 1,
  method: 'GET',
  url: 'http://site/',
  headers: [],
  body: null,
  redirect: 'follow',
  timeoutMs: 1,
  idempotent: null,
  key: null,
  ...more,
});
const codeOf = (...intents: readonly Intent[]): string | undefined => {
  try {
    checkIntents(intents);
    return undefined;
  } catch (error) {
    assert.ok(error instanceof GuestFault);
    return error.facts.code;
  }
};

describe('the rules for intents', () => {
  it('let pass what is at its limit', () => {
    const limitCases: readonly Intent[] = [
      fetchOf({ body: new Uint8Array(8_388_608), timeoutMs: 3_600_000, key: 'k'.repeat(512) }),
      { type: 'sleep', call: 2, ms: 315_360_000_000 },
      { type: 'sleep', call: 3, ms: 0 },
      { type: 'log', level: 'info', text: 'x'.repeat(16_384) },
      { type: 'progress', percent: 100, text: 'x'.repeat(1_000) },
      { type: 'complete', result: `"${'x'.repeat(1_048_574)}"` },
    ];
    assert.equal(codeOf(...limitCases), undefined);
  });

  it('refuse what is over it', () => {
    const over: readonly Intent[] = [
      fetchOf({ body: new Uint8Array(8_388_609) }),
      fetchOf({ timeoutMs: 3_600_001 }),
      fetchOf({ url: `http://${'x'.repeat(16_384)}` }),
      fetchOf({ headers: Array.from({ length: 257 }, () => ['a', 'b'] as const) }),
      fetchOf({ headers: [['a', 'x'.repeat(16_384)]] }),
      fetchOf({ method: 'X'.repeat(33) }),
      fetchOf({ key: 'k'.repeat(513) }),
      { type: 'sleep', call: 1, ms: 315_360_000_001 },
      { type: 'sleep', call: 1, ms: Infinity },
      { type: 'log', level: 'info', text: 'x'.repeat(16_385) },
      { type: 'progress', percent: 101, text: '' },
      { type: 'progress', percent: 1, text: 'x'.repeat(1_001) },
      { type: 'complete', result: `"${'é'.repeat(524_288)}"` },
      { type: 'fail', code: 'C', name: 'N', message: 'm', stack: 's'.repeat(16_385) },
    ];
    for (const intent of over) assert.equal(codeOf(intent), 'LIMIT_EXCEEDED', JSON.stringify(intent).slice(0, 80));
  });

  it('refuse what is no such value at all', () => {
    const wrong: readonly Intent[] = [
      fetchOf({ timeoutMs: 0 }),
      fetchOf({ timeoutMs: 1.5 }),
      { type: 'sleep', call: 1, ms: -1 },
      { type: 'sleep', call: 1, ms: NaN },
      { type: 'progress', percent: -1, text: '' },
    ];
    for (const intent of wrong) assert.equal(codeOf(intent), 'GUEST_PROTOCOL', JSON.stringify(intent));
  });

  it('refuse a step that asks for too much in all', () => {
    const bodies = Array.from({ length: 2 }, () => fetchOf({ body: new Uint8Array(7_000_000) }));
    assert.equal(codeOf(...bodies), 'LIMIT_EXCEEDED');
  });
});

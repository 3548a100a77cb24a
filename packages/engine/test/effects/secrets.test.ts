import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { secretPlaceholder, type Answer, type FetchIntent } from '@mvm-ci/protocol';
import type { FetchOrder } from '../../src/effects/performer.ts';
import { withSecrets } from '../../src/effects/secrets.ts';

const value = 's€cret/with space';
const key = secretPlaceholder('KEY');
const secrets = { KEY: { value, hosts: ['api.test', 'other.test:8443'] }, NOWHERE: { value: 'x', hosts: [] } };
const { signal } = new AbortController();

const request = (more: Partial<FetchIntent> = {}): FetchIntent => ({
  type: 'fetch',
  call: 1,
  method: 'POST',
  url: 'http://api.test/',
  headers: [],
  body: null,
  redirect: 'follow',
  timeoutMs: 1_000,
  idempotent: null,
  key: null,
  ...more,
});

/** Performs a request by a performer that answers what it is told, and notes what would be sent. */
const perform = async (
  intent: FetchIntent,
  answer: Answer = { type: 'slept' },
): Promise<{ readonly sent: readonly FetchOrder[]; readonly answer: Answer }> => {
  const sent: FetchOrder[] = [];
  const performer = withSecrets({ fetch: (order) => Promise.resolve((sent.push(order), answer)) }, secrets);
  return { answer: await performer.fetch({ intent, job: 'j1', key: 'k' }, { signal }), sent };
};

const code = (answer: Answer): string => (answer.type === 'error' ? answer.code : answer.type);

describe('secrets', () => {
  it('take the place of their placeholders in URL, headers and body, and keep the request from being led elsewhere', async () => {
    const body = new TextEncoder().encode(`{"token":"${key}"}`);
    const { sent } = await perform(
      request({ url: `http://api.test/?k=${key}`, headers: [['authorization', `Bearer ${key}`]], body }),
    );
    const intent = sent[0]?.intent;
    assert.equal(intent?.url, `http://api.test/?k=${encodeURIComponent(value)}`);
    assert.deepEqual(intent.headers, [['authorization', `Bearer ${value}`]]);
    assert.equal(new TextDecoder().decode(intent.body ?? undefined), `{"token":"${value}"}`);
    assert.equal(intent.redirect, 'error');
  });

  it('are hidden in a body on its way into a blob, wherever it is cut', async () => {
    const { sent } = await perform(request({ into: 'blob', headers: [['authorization', key]] }));
    const body = new TextEncoder().encode(`before ${value} after ${value}`);
    for (const size of [1, 7, body.length]) {
      const pieces = async function* (): AsyncIterable<Uint8Array> {
        for (let at = 0; at < body.length; at += size) yield await Promise.resolve(body.subarray(at, at + size));
      };
      const filtered: Uint8Array[] = [];
      for await (const piece of sent[0]?.filter?.(pieces()) ?? []) filtered.push(piece);
      assert.equal(Buffer.concat(filtered).toString(), `before ${key} after ${key}`);
    }
  });

  it('leave a request without a placeholder as it is', async () => {
    const intent = request({ url: 'http://anywhere.test/' });
    assert.equal((await perform(intent)).sent[0]?.intent, intent);
  });

  it('are sent to the hosts that are allowed for them, and to no other', async () => {
    const headers = [['x', key]] as const;
    const allowed = ['http://api.test/', 'https://api.test:444/x', 'http://other.test:8443/'];
    const refused = [
      'http://other.test/',
      'http://api.test.evil.test/',
      'http://api.test@evil.test/',
      `http://${key}api.test/`,
      'ftp://api.test/',
      'nonsense',
    ];
    for (const url of allowed) assert.equal((await perform(request({ url, headers }))).sent.length, 1, url);
    for (const url of refused) {
      const { sent, answer } = await perform(request({ url, headers }));
      assert.deepEqual([sent.length, code(answer)], [0, 'FORBIDDEN'], url);
    }
    for (const name of ['NOWHERE', 'UNKNOWN', 'constructor']) {
      const { sent, answer } = await perform(request({ headers: [['x', secretPlaceholder(name)]] }));
      assert.deepEqual([sent.length, code(answer)], [0, 'FORBIDDEN'], name);
    }
  });

  it('are hidden where they come back', async () => {
    const response = {
      status: 200,
      statusText: '',
      url: `http://api.test/?k=${encodeURIComponent(value)}`,
      redirected: false,
      headers: [['x-echo', `is ${value}`]] as const,
      body: Buffer.concat([Buffer.from([0xff, 0]), Buffer.from(value)]),
    };
    const { answer } = await perform(request({ headers: [['x', key]] }), { type: 'fetched', response });
    assert.ok(answer.type === 'fetched');
    assert.equal(answer.response.url, `http://api.test/?k=${key}`);
    assert.deepEqual(answer.response.headers, [['x-echo', `is ${key}`]]);
    assert.deepEqual(Buffer.from(answer.response.body), Buffer.concat([Buffer.from([0xff, 0]), Buffer.from(key)]));
    const failed = await perform(request({ headers: [['x', key]] }), {
      type: 'error',
      code: 'CONNECTION_LOST',
      message: `POST http://api.test/${value} failed`,
    });
    assert.ok(failed.answer.type === 'error' && !failed.answer.message.includes(value));
  });
});

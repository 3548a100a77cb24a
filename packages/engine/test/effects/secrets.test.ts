import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { secretPlaceholder, type Answer, type FetchIntent, type FetchResult } from '@mvm-ci/protocol';
import type { FetchOrder } from '../../src/effects/performer.ts';
import { withSecrets } from '../../src/effects/secrets.ts';

const value = 'sécret/with space';
const key = secretPlaceholder('KEY');
const secrets = { KEY: { value, hosts: ['api.test', 'Other.test:8443'] }, NOWHERE: { value: 'x', hosts: [] } };
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

const answered = (more: Partial<FetchResult>): Answer => ({
  type: 'fetched',
  response: {
    status: 200,
    statusText: '',
    url: 'http://api.test/',
    redirected: false,
    headers: [],
    body: new Uint8Array(0),
    ...more,
  },
});

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

  it('are found in the encoded name and password of a header, checked as anywhere, and hidden where it is told', async () => {
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
    const echo = answered({ headers: [['x-sent', basic(`jané:${value}`)]] });
    const { sent, answer } = await perform(request({ headers: [['authorization', basic(`jané:${key}`)]] }), echo);
    assert.deepEqual(sent[0]?.intent.headers, [['authorization', basic(`jané:${value}`)]]);
    assert.equal(sent[0]?.intent.redirect, 'error');
    assert.ok(answer.type === 'fetched');
    assert.ok(answer.response.headers[0]?.[1].includes(key));
    const elsewhere = await perform(
      request({ url: 'http://elsewhere.test/', headers: [['authorization', basic(`jane:${key}`)]] }),
    );
    assert.deepEqual([code(elsewhere.answer), elsewhere.sent], ['FORBIDDEN', []]);
    const plain = await perform(request({ headers: [['authorization', 'basic  YTpi']] }));
    assert.deepEqual(plain.sent[0]?.intent.headers, [['authorization', 'basic  YTpi']]);
  });

  it('stay one value in JSON and in a form, whatever is in them', async () => {
    const awkward = { KEY: { value: 'a"b\\c\n&d=€ +', hosts: ['api.test'] } };
    const sentBody = async (type: string, text: string): Promise<string> => {
      const bodies: string[] = [];
      const noted = withSecrets(
        {
          fetch: ({ intent }) => {
            bodies.push(new TextDecoder().decode(intent.body ?? undefined));
            return Promise.resolve({ type: 'slept' });
          },
        },
        awkward,
      );
      const intent = request({ headers: [['Content-Type', type]], body: new TextEncoder().encode(text) });
      await noted.fetch({ intent, job: 'j1', key: 'k' }, { signal });
      return bodies.join('');
    };
    const { value: whole } = awkward.KEY;
    for (const type of ['application/json', 'application/JSON; charset=utf-8', 'application/ld+json'])
      assert.deepEqual(JSON.parse(await sentBody(type, `{"a":"${key}"}`)), { a: whole });
    const form = new URLSearchParams(await sentBody('application/x-www-form-urlencoded', `a=${key}&b=1`));
    assert.deepEqual([...form], Object.entries({ a: whole, b: '1' }));
    assert.equal(await sentBody('text/plain', `a ${key}`), `a ${whole}`);
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

  it('are sent in no header that can not hold them, without a word of what is in them', async () => {
    const unfit = { EURO: { value: 'a€b', hosts: ['api.test'] }, KEYFILE: { value: 'a\nb', hosts: ['api.test'] } };
    for (const name of ['EURO', 'KEYFILE']) {
      const refusing = withSecrets({ fetch: () => Promise.reject(new Error('it was sent')) }, unfit);
      const intent = request({ headers: [['x-key', secretPlaceholder(name)]] });
      const answer = await refusing.fetch({ intent, job: 'j1', key: 'k' }, { signal });
      assert.ok(answer.type === 'error');
      assert.equal(answer.code, 'INVALID_ARGUMENT');
      assert.doesNotMatch(answer.message, /8364|€|index/);
    }
  });

  it('leave a request without a placeholder as it is', async () => {
    const intent = request({ url: 'http://anywhere.test/' });
    assert.equal((await perform(intent)).sent[0]?.intent, intent);
  });

  it('are sent to the hosts that are allowed for them, and to no other', async () => {
    const headers = [['x', key]] as const;
    const allowed = ['http://api.test/', 'https://API.test:444/x', 'http://other.test:8443/'];
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
    const echo = answered({
      url: `http://api.test/?k=${encodeURIComponent(value)}`,
      headers: [['x-echo', `is ${value}`]],
      body: Buffer.concat([Buffer.from([0xff, 0]), Buffer.from(value)]),
    });
    const { answer } = await perform(request({ headers: [['x', key]] }), echo);
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

  it('are hidden in the words beside a status', async () => {
    const { answer } = await perform(request({ headers: [['x', key]] }), answered({ statusText: `no ${value}` }));
    assert.ok(answer.type === 'fetched');
    assert.equal(answer.response.statusText, `no ${key}`);
  });

  it('are hidden where their host tells them later, when nobody sends them, and from no other host', async () => {
    const body = Buffer.from(value);
    const shownBy = async (intent: Partial<FetchIntent>, more: Partial<FetchResult> = {}): Promise<string> => {
      const { answer } = await perform(request(intent), answered({ body, ...more }));
      return answer.type === 'fetched' ? Buffer.from(answer.response.body).toString() : answer.type;
    };
    assert.equal(await shownBy({ method: 'GET' }), key);
    assert.equal(await shownBy({ url: 'http://anywhere.test/' }), value);
    assert.equal(await shownBy({ url: 'http://anywhere.test/' }, { url: 'http://api.test/', redirected: true }), key);
  });
});

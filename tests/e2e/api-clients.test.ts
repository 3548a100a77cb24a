/** Clients of web APIs from npm in workflows: what `docs/reference/npm-packages.md` says of them. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { MemoryInbox } from '@mvm-ci/engine';
import type { Answer, FetchIntent } from '@mvm-ci/protocol';
import { storeSignature } from './fixtures/api-clients/src/store-signature.ts';
import { runAlone } from './lone-engine.ts';

const url = 'http://api.example:8080';

const answerWith = (text: string, type = 'application/json'): Answer => ({
  type: 'fetched',
  response: {
    status: 200,
    statusText: 'OK',
    url,
    redirected: false,
    headers: [['content-type', type]],
    body: new TextEncoder().encode(text),
  },
});

const json = (value: unknown): Answer => answerWith(JSON.stringify(value));

const asText = (body: Uint8Array | null): string => new TextDecoder().decode(body ?? new Uint8Array());

interface Tried {
  readonly workflow: string;
  readonly result: unknown;
  readonly answer: unknown;
  /** What was sent. */
  readonly sent: (intent: FetchIntent) => void;
}

const headerOf = ({ headers }: FetchIntent, name: string): string =>
  headers.find(([one]) => one.toLowerCase() === name)?.[1] ?? '';

const completion = {
  choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'Hello!' } }],
};

/** By the package's name. */
const packages: Readonly<Record<string, Tried>> = {
  '@anthropic-ai/sdk': {
    workflow: 'message',
    answer: { id: 'm1', type: 'message', role: 'assistant', content: [{ type: 'text', text: 'Hello!' }] },
    result: 'Hello!',
    sent: (intent) => assert.equal(intent.url, `${url}/v1/messages`),
  },
  '@notionhq/client': {
    workflow: 'page',
    answer: { object: 'page', id: 'p1' },
    result: 'p1',
    sent: (intent) => assert.equal(intent.url, `${url}/v1/pages/p1`),
  },
  '@octokit/request': {
    workflow: 'repository',
    answer: { name: 'tool' },
    result: { status: 200, data: { name: 'tool' } },
    sent: (intent) => assert.deepEqual([intent.method, intent.url], ['GET', `${url}/repos/team/tool`]),
  },
  aws4fetch: {
    workflow: 'store',
    answer: null,
    result: await storeSignature({ url }),
    sent: (intent) => assert.deepEqual([intent.method, asText(intent.body)], ['PUT', 'stored']),
  },
  axios: {
    workflow: 'posted',
    answer: { said: 1 },
    result: { said: 1 },
    sent: (intent) => assert.deepEqual([asText(intent.body), headerOf(intent, 'x-key')], ['{"asked":true}', 'one']),
  },
  jose: {
    workflow: 'token',
    answer: null,
    result: 'reader',
    sent: (intent) => {
      const [head = '', claims = '', signature] = headerOf(intent, 'authorization').replace('Bearer ', '').split('.');
      const mac = createHmac('sha256', 'thirty-two bytes and some more of them').update(`${head}.${claims}`);
      assert.equal(signature, mac.digest('base64url'));
    },
  },
  ky: {
    workflow: 'echo',
    answer: { said: 1 },
    result: { said: 1 },
    sent: (intent) => assert.equal(asText(intent.body), '{"asked":true}'),
  },
  openai: {
    workflow: 'chat',
    answer: completion,
    result: 'Hello!',
    sent: (intent) => {
      assert.equal(intent.url, `${url}/v1/chat/completions`);
      assert.equal(headerOf(intent, 'authorization'), 'Bearer key');
    },
  },
  stripe: {
    workflow: 'customer',
    answer: { id: 'cus_1', object: 'customer' },
    result: 'cus_1',
    sent: (intent) => {
      assert.deepEqual([intent.key, asText(intent.body)], ['one', 'email=a%40example.com']);
    },
  },
};

describe('a client of a web API in a workflow', () => {
  for (const [name, { workflow, answer, result, sent }] of Object.entries(packages)) {
    it(`works: ${name}`, async () => {
      const requests: FetchIntent[] = [];
      const end = await runAlone({
        folder: 'fixtures/api-clients',
        workflow,
        input: { url },
        inbox: new MemoryInbox(),
        fetch: (intent) => {
          requests.push(intent);
          return json(answer);
        },
      });
      assert.equal(requests.length, 1);
      for (const intent of requests) sent(intent);
      assert.deepEqual(end.result, result);
    });
  }

  it('gets an answer in pieces once it is whole', async () => {
    const pieces = ['Hel', 'lo'].map((content) => JSON.stringify({ choices: [{ index: 0, delta: { content } }] }));
    const events = [...pieces, '[DONE]'].map((data) => `data: ${data}\n\n`).join('');
    const run = (workflow: string): ReturnType<typeof runAlone> =>
      runAlone({
        folder: 'fixtures/api-clients',
        workflow,
        input: { url },
        inbox: new MemoryInbox(),
        fetch: () => answerWith(events, 'text/event-stream'),
      });
    assert.equal((await run('streamedChat')).result, 'Hel|lo');
    const { result } = await run('readByPieces');
    assert.deepEqual(result, [[events.length], true, true, false, events.length, true, null]);
  });

  it('is listed in the reference when it was tried, and no other is', async () => {
    const page = await readFile(new URL('../../docs/reference/npm-packages.md', import.meta.url), 'utf8');
    const [, clients = ''] = page.split('## Clients of web APIs');
    const listed = [...clients.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name);
    assert.deepEqual(listed, Object.keys(packages));
  });
});

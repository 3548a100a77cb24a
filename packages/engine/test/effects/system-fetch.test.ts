import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { Answer, FetchIntent } from '@mvm-ci/protocol';
import { systemFetch } from '../../src/effects/system-fetch.ts';

type Route = (request: IncomingMessage, response: ServerResponse) => void;

const routes: Readonly<Record<string, Route>> = {
  '/echo': (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString('hex');
      response.end(JSON.stringify({ method: request.method, headers: request.headers, body }));
    });
  },
  '/gzip': (_request, response) => {
    response.setHeader('content-encoding', 'gzip').end(gzipSync('unpacked'));
  },
  '/brotli': (_request, response) => {
    response.setHeader('content-encoding', 'br').end(brotliCompressSync('unpacked'));
  },
  '/missing': (_request, response) => {
    response.writeHead(404, 'Not here', { 'set-cookie': ['a=1', 'b=2'], 'x-a': 'b' }).end('no');
  },
  '/moved': (_request, response) => {
    response.writeHead(302, { location: '/target' }).end();
  },
  '/target': (_request, response) => {
    response.end('arrived');
  },
  '/round': (_request, response) => {
    response.writeHead(302, { location: '/round' }).end();
  },
  '/huge': (_request, response) => {
    response.setHeader('content-length', 9 * 1_048_576).end(Buffer.alloc(9 * 1_048_576));
  },
  '/bomb': (_request, response) => {
    response.setHeader('content-encoding', 'gzip').end(gzipSync(Buffer.alloc(64 * 1_048_576)));
  },
  '/cut': (_request, response) => {
    response.setHeader('content-length', 100);
    response.write('half');
    setImmediate(() => response.destroy());
  },
  '/never': () => undefined,
};

const intentOf = (url: string, more: Partial<FetchIntent> = {}): FetchIntent => ({
  type: 'fetch',
  call: 1,
  method: 'GET',
  url,
  headers: [],
  body: null,
  redirect: 'follow',
  timeoutMs: 20_000,
  idempotent: null,
  key: null,
  ...more,
});

describe('a request of a workflow', () => {
  let server: Server;
  let origin: string;
  const send = (
    path: string,
    more: Partial<FetchIntent> = {},
    signal = new AbortController().signal,
  ): Promise<Answer> =>
    systemFetch.fetch(
      { intent: intentOf(path.startsWith('/') ? origin + path : path, more), job: 'j1', key: 'j1:1:1' },
      { signal },
    );
  const response = async (path: string, more: Partial<FetchIntent> = {}): Promise<Answer & { type: 'fetched' }> => {
    const answer = await send(path, more);
    assert.ok(answer.type === 'fetched', JSON.stringify(answer));
    return answer;
  };
  const textOf = ({ response: { body } }: Answer & { type: 'fetched' }): string => new TextDecoder().decode(body);
  const failure = async (path: string, more: Partial<FetchIntent> = {}): Promise<Answer & { type: 'error' }> => {
    const answer = await send(path, more);
    assert.ok(answer.type === 'error', JSON.stringify(answer));
    return answer;
  };

  before(async () => {
    server = createServer((request, reply) => routes[request.url ?? '']?.(request, reply));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = (address as AddressInfo | null)?.port;
    origin = `http://127.0.0.1:${port}`;
  });

  after(() => {
    server.closeAllConnections();
    server.close();
  });

  it('is not sent when it would read or write a blob, instead of being sent without it', async () => {
    for (const more of [{ into: 'blob' as const }, { method: 'POST', bodyBlob: 'ab'.repeat(32) }])
      assert.equal((await failure('/echo', more)).code, 'INVALID_ARGUMENT');
  });

  it('is sent with method, headers, body and the key of its call', async () => {
    const more = { method: 'POST', headers: [['x-a', 'b']], body: new Uint8Array([1, 0xff]) } as const;
    const seen: unknown = JSON.parse(textOf(await response('/echo', more)));
    assert.partialDeepStrictEqual(seen, {
      method: 'POST',
      body: '01ff',
      headers: { 'x-a': 'b', 'idempotency-key': 'j1:1:1', 'content-length': '2' },
    });
  });

  it('keeps a key that the author wrote as a header, and passes no header of the connection on', async () => {
    const headers = [
      ['Idempotency-Key', 'mine'],
      ['Connection', 'close'],
      ['Transfer-Encoding', 'chunked'],
      ['Host', 'elsewhere'],
    ] as const;
    const seen = textOf(await response('/echo', { headers }));
    assert.match(seen, /"idempotency-key":"mine"/);
    assert.doesNotMatch(seen, /chunked|elsewhere/);
  });

  it('brings back status, headers and body', async () => {
    const answer = await response('/missing');
    const { status, statusText, redirected, headers, url } = answer.response;
    assert.deepEqual([status, statusText, redirected, url], [404, 'Not here', false, `${origin}/missing`]);
    assert.equal(textOf(answer), 'no');
    assert.deepEqual(
      headers.filter(([name]) => name === 'set-cookie' || name === 'x-a'),
      [
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
        ['x-a', 'b'],
      ],
    );
    assert.ok(!headers.some(([name]) => ['connection', 'keep-alive', 'content-length'].includes(name)));
  });

  it('unpacks the body and drops the headers that described its packing', async () => {
    for (const path of ['/gzip', '/brotli']) {
      const answer = await response(path);
      assert.equal(textOf(answer), 'unpacked');
      assert.ok(!answer.response.headers.some(([name]) => name === 'content-encoding'));
    }
  });

  it('follows redirects, hands them out, or fails, as it was told', async () => {
    const followed = await response('/moved');
    assert.deepEqual(
      [textOf(followed), followed.response.redirected, followed.response.url],
      ['arrived', true, `${origin}/target`],
    );
    const manual = await response('/moved', { redirect: 'manual' });
    assert.equal(manual.response.status, 302);
    assert.deepEqual(
      manual.response.headers.find(([name]) => name === 'location'),
      ['location', '/target'],
    );
    assert.equal((await failure('/moved', { redirect: 'error' })).code, 'CONNECTION_LOST');
    assert.match((await failure('/round')).message, /redirect/);
  });

  it('fails with both numbers when the body is over the limit, packed or not', async () => {
    const huge = await failure('/huge');
    assert.equal(huge.code, 'LIMIT_EXCEEDED');
    assert.match(huge.message, /9437184 bytes or more: a workflow may read 8388608/);
    assert.equal((await failure('/bomb')).code, 'LIMIT_EXCEEDED');
  });

  it('fails in time when no answer comes', async () => {
    const answer = await failure('/never', { timeoutMs: 30 });
    assert.equal(answer.code, 'DEADLINE_EXCEEDED');
    assert.match(answer.message, /GET http:.*\/never did not end within 30 ms/);
  });

  it('fails with a readable cause when the network does', async () => {
    const refused = await failure('http://127.0.0.1:1/');
    assert.equal(refused.code, 'CONNECTION_LOST');
    assert.match(refused.message, /ECONNREFUSED|bad port/);
    assert.equal((await failure('/cut')).code, 'CONNECTION_LOST');
    assert.equal((await failure('http://no-such-host.invalid/')).code, 'CONNECTION_LOST');
  });

  it('fails before it is sent when it makes no sense', async () => {
    for (const [url, more] of [
      ['no url', {}],
      ['file:///etc/passwd', {}],
      [`${origin}/echo`, { method: 'CONNECT' }],
      [`${origin}/echo`, { method: 'GET', body: new Uint8Array([1]) }],
      [`${origin}/echo`, { headers: [['bad name', 'x']] }],
    ] as const)
      assert.equal((await failure(url, more)).code, 'INVALID_ARGUMENT', url);
  });

  it('rejects when it is aborted, and only then', async () => {
    const abort = new AbortController();
    const sent = send('/never', {}, abort.signal);
    setImmediate(() => abort.abort());
    await assert.rejects(sent, { name: 'AbortError' });
  });
});

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { listenHttp, openHttpAgents, requestHttp, systemClock, type HttpListener } from '../../src/index.ts';

const clock = systemClock;

const serve = (fetch: (request: Request) => Promise<Response>): Promise<HttpListener> =>
  listenHttp({ host: '127.0.0.1', port: 0, fetch });

suite('a small request over HTTP/1.1', { timeout: 60_000 }, () => {
  test('brings the whole answer, whatever its status, and sends token, headers and body', async () => {
    const server = await serve(async (request) => {
      const { authorization, accept } = Object.fromEntries(request.headers);
      const said = [request.method, new URL(request.url).pathname, authorization, accept, await request.text()];
      return Response.json(said, { status: 418 });
    });
    const { status, headers, body } = await requestHttp({
      url: `${server.url}/below/`,
      path: '/thing',
      method: 'PUT',
      token: 'secret',
      headers: { accept: 'text/plain' },
      body: 'hello',
      clock,
    });
    assert.deepEqual([status, headers['content-type']], [418, 'application/json']);
    assert.deepEqual(JSON.parse(new TextDecoder().decode(body)), [
      'PUT',
      '/below/thing',
      'Bearer secret',
      'text/plain',
      'hello',
    ]);
    await server.stop(0);
  });

  test('follows no redirect, and refuses an answer that is too long', async () => {
    const server = await serve(async (request) =>
      request.url.endsWith('/moved')
        ? new Response(null, { status: 302, headers: { location: 'http://elsewhere.test/' } })
        : new Response('x'.repeat(1_000)),
    );
    assert.equal((await requestHttp({ url: server.url, path: '/moved', clock })).status, 302);
    await assert.rejects(requestHttp({ url: server.url, path: '/long', bodyBytesMax: 999, clock }), {
      code: 'PAYLOAD_TOO_LARGE',
    });
    await server.stop(0);
  });

  test('cuts an answer that is too long for who wants its status', async () => {
    const server = await serve(async () => new Response('x'.repeat(100_000), { status: 201 }));
    const cut = await requestHttp({ url: server.url, path: '/', bodyBytesMax: 999, longer: 'cut', clock });
    assert.deepEqual([cut.status, cut.body.length], [201, 999]);
    await server.stop(0);
  });

  test('sends a query whole, also one with question marks in it', async () => {
    const server = await serve(async ({ url }) => new Response(new URL(url).search));
    const { body } = await requestHttp({ url: server.url, path: '/in?to=http://a.test/?b=1&c', clock });
    assert.equal(new TextDecoder().decode(body), '?to=http://a.test/?b=1&c');
    await server.stop(0);
  });

  test('uses a connection again', async () => {
    const server = await serve(async () => new Response('ok'));
    const agents = openHttpAgents();
    const sockets = new Set<unknown>();
    agents.http.on('free', (socket) => sockets.add(socket));
    for (let request = 0; request < 5; request += 1) await requestHttp({ url: server.url, path: '/', agents, clock });
    assert.equal(sockets.size, 1);
    agents.close();
    await server.stop(0);
  });

  test('ends with its caller, and at its deadline, also in the middle of the answer', async () => {
    const asked = Promise.withResolvers<void>();
    const server = await serve(async () => {
      asked.resolve();
      return new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(10)) }));
    });
    const abort = new AbortController();
    const given = requestHttp({ url: server.url, path: '/', signal: abort.signal, clock });
    await asked.promise;
    abort.abort();
    await assert.rejects(given, { code: 'CANCELLED' });
    await assert.rejects(requestHttp({ url: server.url, path: '/', deadlineMs: 500, clock }), {
      code: 'DEADLINE_EXCEEDED',
    });
    await server.stop(0);
  });
});

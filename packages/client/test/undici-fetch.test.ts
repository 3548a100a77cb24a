import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { createClient } from '../src/client.ts';
import { defaultFetch } from '../src/undici-fetch.ts';
import { jobView } from './fixtures/scripted-server.ts';

/** A server on loopback; close it by its disposer. */
class HttpServer implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    const { port } = server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async start(listener: RequestListener): Promise<HttpServer> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HttpServer(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

const urlOfNobody = async (): Promise<string> => {
  await using server = await HttpServer.start(() => undefined);
  return server.url;
};

const get = { method: 'GET', headers: { accept: 'application/json' } } as const;

describe('the default fetch in Node', () => {
  it('answers like a Response', async () => {
    await using server = await HttpServer.start((_request, response) => {
      response.writeHead(404, { 'x-next': '17', 'set-cookie': ['a=1', 'b=2'] });
      response.end('gone');
    });
    for (const ask of [defaultFetch, fetch]) {
      const answer = await ask(`${server.url}/x`, get);
      assert.deepEqual(
        [answer.url, answer.status, answer.ok, answer.headers.get('X-Next'), answer.headers.get('set-cookie')],
        [`${server.url}/x`, 404, false, '17', 'a=1, b=2'],
      );
      assert.equal(answer.headers.get('absent'), null);
      assert.equal(await answer.text(), 'gone');
    }
  });

  it('breaks off like a Response, when its server does', async () => {
    await using server = await HttpServer.start((_request, response) => {
      response.write('half', () => response.destroy());
    });
    for (const ask of [defaultFetch, fetch]) {
      const answer = await ask(server.url, get);
      await assert.rejects(new Response(answer.body).text(), TypeError);
    }
  });

  it('lets a stream of events go on where a control plane that was killed broke it off', async () => {
    const asked: (string | undefined)[] = [];
    await using server = await HttpServer.start((request, response) => {
      asked.push(request.url);
      const change = asked.length;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const text = `id: ${change}\nevent: job\ndata: ${JSON.stringify(jobView(change, 'pending'))}\n\n`;
      response.write(text, () => response.destroy());
    });
    const changes: number[] = [];
    for await (const { change } of createClient({ url: server.url }).events({ after: 0 }))
      if (changes.push(change) === 3) break;
    assert.deepEqual(changes, [1, 2, 3]);
    assert.deepEqual(
      asked.slice(0, 3),
      [0, 1, 2].map((change) => `/queue/events?after=${change}`),
    );
  });

  it('sends method, headers and body, also a body that comes as a stream', async () => {
    await using server = await HttpServer.start((request, response) => {
      const { method, headers } = request;
      response.write(`${method} ${headers['content-type']} `);
      request.pipe(response);
    });
    const headers = { 'content-type': 'text/x' };
    for (const body of ['abc', new TextEncoder().encode('abc'), new Blob(['abc']).stream()]) {
      const answer = await defaultFetch(server.url, { method: 'POST', headers, body, duplex: 'half' });
      assert.equal(await answer.text(), 'POST text/x abc');
    }
  });

  it('reads a long answer as a stream, and hangs up when its reader does', async () => {
    const left = Promise.withResolvers<void>();
    await using server = await HttpServer.start((_request, response) => {
      response.on('close', () => left.resolve());
      response.write('first');
    });
    const { body } = await defaultFetch(server.url, get);
    assert.ok(body);
    const reader = body.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), 'first');
    await reader.cancel();
    await left.promise;
  });

  it('follows a redirect', async () => {
    await using server = await HttpServer.start((request, response) => {
      if (request.url === '/old') response.writeHead(308, { location: '/new' }).end();
      else request.pipe(response);
    });
    const answer = await defaultFetch(`${server.url}/old`, { method: 'POST', headers: {}, body: 'kept' });
    assert.deepEqual([answer.status, await answer.text()], [200, 'kept']);
  });

  it('ends a call that its caller gives up', async () => {
    const arrived = Promise.withResolvers<void>();
    await using server = await HttpServer.start(() => arrived.resolve());
    const giveUp = new AbortController();
    const call = createClient({ url: server.url }).stats({ signal: giveUp.signal });
    await arrived.promise;
    giveUp.abort();
    await assert.rejects(call, { code: 'CANCELLED' });
  });

  it('asks again when the connection breaks off in the middle of an answer', async () => {
    let requests = 0;
    const answer = JSON.stringify({ job_id: 'a', status: 'pending', created: false });
    await using server = await HttpServer.start((request, response) => {
      requests += 1;
      request.resume();
      response.writeHead(200, { 'content-length': answer.length });
      if (requests > 1) response.end(answer);
      else response.write(answer.slice(0, 10), () => request.socket.destroy());
    });
    const published = await createClient({ url: server.url }).publish({ job_id: 'a', payload: 1 });
    assert.deepEqual([published.job_id, requests], ['a', 2]);
  });

  it('says by its own error that an answer was given up in the middle', async () => {
    const giveUp = new AbortController();
    await using server = await HttpServer.start((_request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('{', () => giveUp.abort());
    });
    const call = createClient({ url: server.url }).stats({ signal: giveUp.signal });
    await assert.rejects(call, { code: 'CANCELLED' });
  });

  it('says whom it did not reach', async () => {
    const url = await urlOfNobody();
    await assert.rejects(createClient({ url }).stats(), {
      code: 'CONNECTION_LOST',
      message: `no control plane answers at ${url}: connect ECONNREFUSED ${new URL(url).host}`,
    });
  });
});

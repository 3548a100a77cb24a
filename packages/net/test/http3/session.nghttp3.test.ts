/**
 * Whole exchanges with a stranger: libnghttp3 as the client of our server, and as the server of our client, over real
 * connections. Needs a C compiler and Debian's libnghttp3-dev; without them the tests are skipped, and say so.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { joinBytes } from '../../src/bytes.ts';
import { http3Codes } from '../../src/http3/error.ts';
import { connectHttp3, serveHttp3, type Http3Handler, type Http3Server, type PeerClient } from '../../src/index.ts';
import { compile, Nghttp3Peer, skipWithoutNghttp3, type SeenMessage } from '../fixtures/nghttp3.ts';
import { latch, openPeer, patternBytes } from '../fixtures/peers.ts';

const bodyOf = ({ pieces }: SeenMessage): Uint8Array => joinBytes([new Uint8Array(0), ...pieces]);
const valuesOf = ({ lines }: SeenMessage, name: string): string[] =>
  lines.filter(([one]) => one === name).map(([, value]) => value);

const echo: Http3Handler = async (request) =>
  new Response(await request.bytes(), {
    headers: { 'x-method': request.method, 'x-path': new URL(request.url).pathname },
  });

describe('exchanges with libnghttp3', { skip: skipWithoutNghttp3 }, () => {
  let program: string;
  let dispose: () => Promise<void>;
  before(async () => ({ program, dispose } = await compile('nghttp3-peer')));
  after(async () => dispose());

  interface StrangerClient extends AsyncDisposable {
    readonly stranger: Nghttp3Peer;
    readonly server: Http3Server;
  }

  /** Our server, and it as the client. */
  const strangerClient = async (handler: Http3Handler): Promise<StrangerClient> => {
    const serverEndpoint = await openPeer();
    const clientEndpoint = await openPeer();
    const server = serveHttp3(serverEndpoint, { handler });
    const connection = await clientEndpoint.connect(serverEndpoint.address(), { alpn: 'iroh+h3' });
    const stranger = new Nghttp3Peer(program, 'client', connection);
    const close = async (): Promise<void> => {
      await clientEndpoint.close();
      await serverEndpoint.close();
      await stranger.end();
    };
    return { stranger, server, [Symbol.asyncDispose]: close };
  };

  interface StrangerServer extends AsyncDisposable {
    readonly stranger: Nghttp3Peer;
    readonly client: PeerClient;
  }

  /** It as the server, and our client. */
  const strangerServer = async (): Promise<StrangerServer> => {
    const serverEndpoint = await openPeer();
    const clientEndpoint = await openPeer();
    const incoming = serverEndpoint.connections('iroh+h3')[Symbol.asyncIterator]().next();
    const client = await connectHttp3(clientEndpoint, serverEndpoint.address());
    const first = await incoming;
    assert.ok(first.done !== true);
    const stranger = new Nghttp3Peer(program, 'server', first.value);
    const close = async (): Promise<void> => {
      await clientEndpoint.close();
      await serverEndpoint.close();
      await stranger.end();
    };
    return { stranger, client, [Symbol.asyncDispose]: close };
  };

  describe('as the client of our server', () => {
    test('requests with and without a body, and HEAD, are answered whole', async () => {
      await using pair = await strangerClient(echo);
      const body = patternBytes(50_000);
      const posted = await pair.stranger.request('POST', body);
      assert.deepEqual(bodyOf(posted), body);
      assert.deepEqual(valuesOf(posted, ':status'), ['200']);
      assert.deepEqual([valuesOf(posted, 'x-method'), valuesOf(posted, 'x-path')], [['POST'], ['/some/path']]);
      assert.deepEqual(bodyOf(await pair.stranger.request('GET')), new Uint8Array(0));
      assert.deepEqual(valuesOf(await pair.stranger.request('HEAD'), 'x-method'), ['HEAD']);
    });

    test('a streamed response comes in pieces, with its length behind it', async () => {
      await using pair = await strangerClient(() => {
        const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
        const writer = writable.getWriter();
        void (async () => {
          for (let piece = 0; piece < 5; piece += 1) {
            await writer.write(patternBytes(40_000));
            await new Promise((resolve) => setImmediate(resolve));
          }
          await writer.close();
        })();
        return new Response(readable);
      });
      const seen = await pair.stranger.request('GET');
      assert.equal(bodyOf(seen).length, 200_000);
      assert.deepEqual(seen.trailers, [['mvm-body-length', '200000']]);
    });

    test('fifty requests at once get each their own answer', async () => {
      await using pair = await strangerClient(echo);
      const bodies = Array.from({ length: 50 }, (_, index) => patternBytes(100 + 37 * index));
      const answers = await Promise.all(bodies.map(async (body) => pair.stranger.request('POST', body)));
      assert.deepEqual(answers.map(bodyOf), bodies);
    });

    test('a refusal, and an error of the handler, are answers', async () => {
      await using pair = await strangerClient((request) => {
        if (request.method === 'GET') return new Response('no', { status: 404 });
        throw new Error('broken');
      });
      assert.deepEqual(valuesOf(await pair.stranger.request('GET'), ':status'), ['404']);
      assert.deepEqual(valuesOf(await pair.stranger.request('POST', patternBytes(10)), ':status'), ['500']);
    });

    test('it understands that our server stops, and gets the answer that is under way', async () => {
      const release = latch();
      const arrived = latch();
      await using pair = await strangerClient(async () => {
        arrived.resolve();
        await release.promise;
        return new Response('late');
      });
      const answer = pair.stranger.request('GET');
      await arrived.promise;
      const goaway = pair.stranger.goaway();
      const stopped = pair.server.stop();
      assert.ok((await goaway) >= 4);
      release.resolve();
      assert.equal(Buffer.from(bodyOf(await answer)).toString(), 'late');
      await stopped;
    });
  });

  describe('as the server of our client', () => {
    test('interim heads, bodies in pieces and trailers are taken as they come', async () => {
      await using pair = await strangerServer();
      const body = patternBytes(50_000);
      const response = await pair.client.fetch('/', { method: 'POST', body });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('x-method'), 'POST');
      assert.equal(response.headers.get('link'), null, 'that stood in the interim head');
      assert.deepEqual(new Uint8Array(await response.arrayBuffer()), body);
      const empty = await pair.client.fetch('/');
      assert.equal((await empty.arrayBuffer()).byteLength, 0);
      const head = await pair.client.fetch('/', { method: 'HEAD' });
      assert.deepEqual([head.headers.get('x-method'), await head.text()], ['HEAD', '']);
    });

    test('it reads a body that we stream, and the length behind it', async () => {
      await using pair = await strangerServer();
      const body = new Blob([patternBytes(100_000)]).stream();
      const response = await pair.client.fetch('/', { method: 'POST', body });
      assert.deepEqual(new Uint8Array(await response.arrayBuffer()), patternBytes(100_000));
      assert.deepEqual((await pair.stranger.message(0)).trailers, [['mvm-body-length', '100000']]);
    });

    test('fifty requests at once get each their own answer', async () => {
      await using pair = await strangerServer();
      const bodies = Array.from({ length: 50 }, (_, index) => patternBytes(100 + 37 * index));
      const answers = await Promise.all(
        bodies.map(async (body) => (await pair.client.fetch('/', { method: 'POST', body })).arrayBuffer()),
      );
      assert.deepEqual(
        answers.map((answer) => new Uint8Array(answer)),
        bodies,
      );
    });

    test('our client understands that it stops, and closes the connection', async () => {
      await using pair = await strangerServer();
      await (await pair.client.fetch('/')).arrayBuffer();
      pair.stranger.stop();
      await pair.client.draining;
      assert.equal((await pair.client.closed).code ?? http3Codes.H3_NO_ERROR, http3Codes.H3_NO_ERROR);
    });
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';
import { suite, test } from 'node:test';
import { linkGreeting, linkHeader, linkVersion, mvmError, type MvmError } from '@mvm-ci/protocol';
import { listenHttp, openHttpAgents, openHttpDuplex, systemClock, type ByteDuplex } from '../../src/index.ts';
import { FakeClock } from '../fixtures/fake-clock.ts';
import { echo, readExactly, serveLinks } from '../fixtures/link-server.ts';
import { patternBytes } from '../fixtures/peers.ts';

const clock = systemClock;
const certificate = readFileSync(new URL('../fixtures/self-signed.pem', import.meta.url));

/** A foreign server on a free port. */
const listen = async (
  server: Server | ReturnType<typeof createTcpServer>,
): Promise<AsyncDisposable & { port: number }> => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      if ('closeAllConnections' in server) server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
};

const failure = async (url: string, more: object = {}): Promise<MvmError> =>
  openHttpDuplex({ url, clock, ...more }).then(
    () => assert.fail('it opened'),
    (error: MvmError) => error,
  );

const answeredBy = async (listener: RequestListener): Promise<MvmError> => {
  await using server = await listen(createServer(listener));
  return await failure(`http://127.0.0.1:${server.port}`);
};

suite('a byte stream each way over HTTP/1.1', { timeout: 60_000 }, () => {
  test('brings an answer while the request is still being written, many times', async () => {
    const server = await serveLinks((duplex) => void echo(duplex));
    const duplex = await openHttpDuplex({ url: server.url, clock });
    const reader = duplex.readable.getReader();
    for (let round = 1; round <= 100; round += 1) {
      await duplex.write(patternBytes(round));
      assert.deepEqual(await readExactly(reader, round), patternBytes(round));
    }
    duplex.close();
    await server.stop(0);
  });

  test('ends one half after all that was written, and the other side ends its own', async () => {
    const ended = Promise.withResolvers<number>();
    const server = await serveLinks(async (duplex) => {
      let bytes = 0;
      for await (const piece of duplex.readable) bytes += piece.length;
      ended.resolve(bytes);
      duplex.close();
    });
    const agents = openHttpAgents();
    const duplex = await openHttpDuplex({ url: server.url, agents, clock });
    for (let piece = 0; piece < 10; piece += 1) await duplex.write(patternBytes(50_000));
    duplex.close();
    assert.equal(await ended.promise, 500_000);
    await assert.rejects(duplex.write(patternBytes(1)), { code: 'CONNECTION_LOST' });
    // Nothing is left that would hold a stop back: the connection is idle again.
    await server.stop(Infinity);
    agents.close();
  });

  test('is ended by the server first as well, with all that it wrote', async () => {
    const server = await serveLinks(async (duplex) => {
      for (let piece = 0; piece < 10; piece += 1) await duplex.write(patternBytes(50_000));
      duplex.close();
    });
    const duplex = await openHttpDuplex({ url: server.url, clock });
    let bytes = 0;
    for await (const piece of duplex.readable) bytes += piece.length;
    assert.equal(bytes, 500_000);
    duplex.close();
    await server.stop(Infinity);
  });

  test('gives the connection back for the next request', async () => {
    const server = await serveLinks((duplex) => void echo(duplex));
    const agents = openHttpAgents();
    const ports = new Set<number | undefined>();
    agents.http.on('free', (socket: { localPort?: number }) => ports.add(socket.localPort));
    for (let link = 0; link < 5; link += 1) {
      const freed = once(agents.http, 'free');
      const duplex = await openHttpDuplex({ url: server.url, agents, clock });
      duplex.close();
      await freed;
    }
    assert.equal(ports.size, 1);
    agents.close();
    await server.stop(0);
  });

  for (const side of ['client', 'server'] as const) {
    test(`tells the other side at once when the ${side} breaks off, also one that only reads or only writes`, async () => {
      const opened = Promise.withResolvers<ByteDuplex>();
      const server = await serveLinks(opened.resolve);
      const client = await openHttpDuplex({ url: server.url, clock });
      const [breaking, other] = side === 'client' ? [client, await opened.promise] : [await opened.promise, client];
      const reading = other.readable.getReader().read();
      breaking.close(mvmError('CANCELLED', 'enough'));
      await assert.rejects(reading, { code: 'CONNECTION_LOST' });
      await assert.rejects(other.write(patternBytes(10)), { code: 'CONNECTION_LOST' });
      await assert.rejects(breaking.write(patternBytes(10)), { code: 'CONNECTION_LOST' });
      other.close();
      await server.stop(Infinity);
    });

    test(`makes a writer wait while the other side (the ${side}) does not read, and frees it when that is gone`, async () => {
      const opened = Promise.withResolvers<ByteDuplex>();
      const server = await serveLinks(opened.resolve);
      const client = await openHttpDuplex({ url: server.url, clock });
      const [slow, writer] = side === 'client' ? [client, await opened.promise] : [await opened.promise, client];
      let written = 0;
      const flood = (async () => {
        for (;;) {
          await writer.write(patternBytes(65_536));
          written += 1;
        }
      })();
      const reader = slow.readable.getReader();
      await reader.read();
      // It stands still: what fits into the buffers of both systems is far less than what was asked for.
      let seen = -1;
      while (seen !== written) {
        seen = written;
        for (let turn = 0; turn < 200; turn += 1) await new Promise((next) => setImmediate(next));
      }
      assert.ok(written < 2_000, `${written} pieces`);
      slow.close(mvmError('CANCELLED', 'gone'));
      await assert.rejects(flood, { code: 'CONNECTION_LOST' });
      await server.stop(Infinity);
    });
  }

  test('carries 100 MB each way without growing', async () => {
    const server = await serveLinks((duplex) => void echo(duplex));
    const duplex = await openHttpDuplex({ url: server.url, clock });
    const piece = patternBytes(65_536);
    const pieces = 1_600;
    const sending = (async () => {
      for (let sent = 0; sent < pieces; sent += 1) await duplex.write(piece);
    })();
    const reader = duplex.readable.getReader();
    let peak = 0;
    for (let left = pieces * piece.length; left > 0;) {
      const { value } = await reader.read();
      assert.ok(value);
      left -= value.length;
      peak = Math.max(peak, process.memoryUsage().arrayBuffers);
    }
    await sending;
    // Far below the 200 MB that went through, and room enough for what is not collected yet.
    assert.ok(peak < 80_000_000, `${peak} bytes of buffers`);
    duplex.close();
    await server.stop(0);
  });

  test('lasts longer than the times that other requests have, which are kept', async () => {
    const times = { headMs: 300, requestMs: 300, checkMs: 20 };
    const server = await serveLinks((duplex) => void echo(duplex), { times });
    const duplex = await openHttpDuplex({ url: server.url, clock });
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Response>();
    const waits = await listenHttp({
      host: '127.0.0.1',
      port: 0,
      fetch: () => (asked.resolve(), answer.promise),
      links: { opened: () => undefined, clock },
      times,
    });
    const waiting = fetch(`${waits.url}/long-poll`);
    await asked.promise;
    for (const request of ['POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf', 'GET / HT']) {
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1').resume();
      socket.write(request);
      await once(socket, 'close');
    }
    await duplex.write(patternBytes(10));
    assert.deepEqual(await readExactly(duplex.readable.getReader(), 10), patternBytes(10));
    duplex.close();
    await server.stop(0);
    // A whole request whose answer takes longer than that is none of those that are late.
    answer.resolve(new Response('at last'));
    assert.equal(await (await waiting).text(), 'at last');
    await waits.stop(0);
  });

  test('leaves no timer and no listener behind', async () => {
    const fake = new FakeClock();
    const server = await serveLinks((duplex) => void echo(duplex));
    const agents = openHttpAgents();
    const signal = new AbortController().signal;
    const freed = once(agents.http, 'free');
    const duplex = await openHttpDuplex({ url: server.url, agents, signal, clock: fake });
    assert.equal(fake.pendingTimers, 0);
    duplex.close();
    await freed;
    await fake.nextTurn();
    assert.equal(fake.pendingTimers, 0);
    agents.close();
    await server.stop(Infinity);
  });

  test('cuts off another side that never ends its half', async () => {
    const fake = new FakeClock();
    const server = await serveLinks(() => undefined);
    const duplex = await openHttpDuplex({ url: server.url, clock: fake });
    duplex.close();
    assert.equal(fake.pendingTimers, 1);
    fake.advance(1_000);
    await server.stop(Infinity);
  });

  test('refuses a client that sends something else than the greeting, or nothing', async () => {
    const fake = new FakeClock();
    let links = 0;
    const server = await serveLinks(() => void (links += 1), {
      links: { opened: () => void (links += 1), clock: fake },
    });
    const port = Number(new URL(server.url).port);
    const head = 'POST /engine/link HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
    const wrong = connect(port, '127.0.0.1').resume();
    wrong.write(`${head}1e\r\n${'x'.repeat(30)}\r\n`);
    await once(wrong, 'close');
    const silent = connect(port, '127.0.0.1');
    silent.write(head);
    await once(silent, 'data');
    fake.advance(10_000);
    await once(silent.resume(), 'close');
    assert.equal(links, 0);
    await server.stop(Infinity);
  });
});

suite('what can be wrong with the URL of an engine server', { timeout: 60_000 }, () => {
  const told = ({ code, message, details }: MvmError): readonly unknown[] => [code, details?.['reason'], message];

  test('is no URL of HTTP', async () => {
    assert.deepEqual(told(await failure('localhost:27288')), [
      'CONFIG_INVALID',
      undefined,
      'the URL of an engine server begins with http:// or https://, not "localhost:27288"',
    ]);
  });

  test('is a name that nobody knows', async () => {
    const error = await failure('http://no-such-host.invalid:27288');
    assert.deepEqual(told(error).slice(0, 2), ['CONNECTION_LOST', 'name']);
    assert.match(error.message, /^http:\/\/no-such-host\.invalid:27288\/engine\/link can't be used: its host name /);
  });

  test('is a port where nothing listens', async () => {
    const server = await listen(createTcpServer());
    await server[Symbol.asyncDispose]();
    const error = await failure(`http://127.0.0.1:${server.port}`);
    assert.deepEqual(told(error).slice(0, 2), ['CONNECTION_LOST', 'refused']);
    assert.match(error.message, /nothing listens there$/);
  });

  test('is a host that does not answer in time', async () => {
    const fake = new FakeClock();
    const failing = failure('http://127.0.0.1:1', { clock: fake, deadlineMs: 500 });
    fake.advance(500);
    assert.deepEqual(told(await failing), [
      'DEADLINE_EXCEEDED',
      'timeout',
      "http://127.0.0.1:1/engine/link can't be used: no connection came about within 500 ms",
    ]);
  });

  test('is given up by its caller', async () => {
    const abort = new AbortController();
    const failing = failure('http://127.0.0.1:1', { signal: abort.signal });
    abort.abort();
    assert.equal((await failing).code, 'CANCELLED');
  });

  test('is behind a proxy that holds the request back', async () => {
    const fake = new FakeClock();
    await using server = await listen(createServer((incoming) => void incoming.once('data', () => fake.advance(700))));
    const error = await failure(`http://127.0.0.1:${server.port}`, { clock: fake, deadlineMs: 700 });
    assert.deepEqual(told(error).slice(0, 2), ['DEADLINE_EXCEEDED', 'held-back']);
    assert.match(error.message, /no answer came \(a proxy in between must let bodies through .*\) within 700 ms$/);
  });

  test('is behind a proxy that holds the answer back', async () => {
    await using server = await listen(
      createServer((_incoming, outgoing) =>
        outgoing.writeHead(200, { [linkHeader]: String(linkVersion) }).flushHeaders(),
      ),
    );
    const error = await failure(`http://127.0.0.1:${server.port}`, { deadlineMs: 1_000 });
    assert.deepEqual(told(error).slice(0, 2), ['DEADLINE_EXCEEDED', 'held-back']);
    assert.match(error.message, /it answered, but what was sent did not come back/);
  });

  test('demands another token, in our words or in those of a gateway', async () => {
    const ours = await answeredBy((_incoming, outgoing) => {
      outgoing.writeHead(401, { 'content-type': 'application/json' });
      outgoing.end(JSON.stringify({ error: { code: 'UNAUTHENTICATED', message: 'this is not the token' } }));
    });
    assert.equal(ours.code, 'UNAUTHENTICATED');
    assert.match(ours.message, /^http:\/\/127\.0\.0\.1:\d+\/engine\/link: this is not the token$/);
    const theirs = await answeredBy((_incoming, outgoing) => outgoing.writeHead(401).end('no'));
    assert.deepEqual(told(theirs).slice(0, 2), ['UNAUTHENTICATED', 'token']);
  });

  test('is not an engine server: a web page, a Flawless server, a redirect, another version', async () => {
    const page = await answeredBy((_incoming, outgoing) =>
      outgoing.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>'),
    );
    assert.deepEqual(told(page).slice(0, 2), ['CONFIG_INVALID', 'not-an-engine-server']);
    assert.match(page.message, /POST \/engine\/link is answered with status 200 and text\/html$/);
    const flawless = await answeredBy((_incoming, outgoing) => outgoing.writeHead(404).end());
    assert.match(flawless.message, /it is not an engine server: .* status 404 and no type$/);
    const moved = await answeredBy((_incoming, outgoing) =>
      outgoing.writeHead(308, { location: 'https://engine.test/' }).end(),
    );
    assert.deepEqual(told(moved).slice(0, 2), ['CONFIG_INVALID', 'redirect']);
    assert.match(moved.message, /it redirects to https:\/\/engine\.test\/: name that address instead$/);
    const newer = await answeredBy((_incoming, outgoing) => outgoing.writeHead(200, { [linkHeader]: '7' }).end());
    assert.ok(newer.message.endsWith(`it speaks version 7 of the engine link, this is version ${linkVersion}`));
    const greeting = await answeredBy((_incoming, outgoing) =>
      outgoing.writeHead(200, { [linkHeader]: String(linkVersion) }).end('x'.repeat(linkGreeting.length)),
    );
    assert.match(greeting.message, /not the greeting of an engine link$/);
  });

  test('is a gateway without an engine server behind it', async () => {
    const error = await answeredBy((_incoming, outgoing) => outgoing.writeHead(502).end('<html>bad gateway'));
    assert.deepEqual(told(error).slice(0, 2), ['UNAVAILABLE', 'gateway']);
  });

  test('does not speak HTTP', async () => {
    await using server = await listen(createTcpServer((socket) => socket.resume().end('SSH-2.0-nothing\r\n')));
    const error = await failure(`http://127.0.0.1:${server.port}`);
    assert.deepEqual(told(error).slice(0, 2), ['CONFIG_INVALID', 'not-http']);
  });

  test('speaks TLS badly, or not at all', async () => {
    await using plain = await listen(createServer());
    const none = await failure(`https://127.0.0.1:${plain.port}`);
    assert.deepEqual(told(none).slice(0, 2), ['CONFIG_INVALID', 'tls']);
    assert.match(none.message, /is it http:\/\/ instead of https:\/\/\?$/);
    await using secure = await listen(createTlsServer({ key: certificate, cert: certificate }));
    const unknown = await failure(`https://127.0.0.1:${secure.port}`);
    assert.deepEqual(told(unknown).slice(0, 2), ['CONFIG_INVALID', 'tls']);
    assert.match(unknown.message, /its certificate is not good: self-signed/);
    const reverse = await failure(`http://127.0.0.1:${secure.port}`);
    assert.ok(['CONFIG_INVALID', 'CONNECTION_LOST'].includes(reverse.code), reverse.message);
  });

  test('is reached at the address that is named, under its own host name', async () => {
    const host = Promise.withResolvers<string | undefined>();
    await using server = await listen(
      createServer((incoming, outgoing) => {
        host.resolve(incoming.headers.host);
        outgoing.writeHead(404).end();
      }),
    );
    const error = await failure(`http://engine.test:${server.port}`, { address: '127.0.0.1' });
    assert.equal(await host.promise, `engine.test:${server.port}`);
    assert.match(error.message, /^http:\/\/engine\.test:/);
  });

  test('shows no password that stands in it', async () => {
    const error = await failure('http://user:secret@127.0.0.1:1');
    assert.doesNotMatch(JSON.stringify(error.toRecord()), /secret/);
  });
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';

import { mvmError, MvmError } from '@mvm-ci/protocol';

import { connectHttp3, serveHttp3 } from '../../src/index.ts';
import { latch, openPair, openPeer, patternBytes } from '../fixtures/peers.ts';

const events = (count: number, onCancel: () => void = (): void => undefined): ReadableStream<Uint8Array> => {
  let sent = 0;
  return new ReadableStream(
    {
      pull: async (controller) => {
        // Each event comes in a turn of its own, as from a real source.
        await new Promise((resolve) => setImmediate(resolve));
        if (sent === count) return controller.close();
        controller.enqueue(new TextEncoder().encode(`data: ${sent}\n\n`));
        sent += 1;
      },
      cancel: onCancel,
    },
    { highWaterMark: 0 },
  );
};

test('a stream of events that the server ends arrives whole', async () => {
  await using pair = await openPair({
    handler: () => new Response(events(5), { headers: { 'content-type': 'text/event-stream' } }),
  });
  const response = await pair.client.fetch('/events');
  assert.equal(response.headers.get('content-type'), 'text/event-stream');
  assert.equal(await response.text(), 'data: 0\n\ndata: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\n');
});

test('the head of a stream arrives before its first event', async () => {
  const first = latch<Uint8Array>();
  await using pair = await openPair({
    handler: () =>
      new Response(
        new ReadableStream({
          pull: async (controller) => {
            controller.enqueue(await first.promise);
            controller.close();
          },
        }),
      ),
  });
  const response = await pair.client.fetch('/events');
  first.resolve(patternBytes(3));
  assert.deepEqual(new Uint8Array(await response.arrayBuffer()), patternBytes(3));
});

test('an endless stream is cancelled when the client has enough, and the connection goes on', async () => {
  const cancelled = latch();
  await using pair = await openPair({
    handler: (request) => new Response(request.url.endsWith('/events') ? events(Infinity, cancelled.resolve) : 'next'),
  });
  const response = await pair.client.fetch('/events', { bodyIdleMs: Infinity });
  const reader = response.body?.getReader();
  assert.ok((await reader?.read())?.value);
  await reader?.cancel();
  await cancelled.promise;
  assert.equal(await (await pair.client.fetch('/')).text(), 'next');
});

test('a silent stream is cancelled when its reader gives up in the middle of a wait', async () => {
  const cancelled = latch();
  await using pair = await openPair({
    handler: (request) =>
      new Response(
        request.url.endsWith('/events') ? new ReadableStream({ cancel: () => cancelled.resolve() }) : 'next',
      ),
  });
  const caller = new AbortController();
  const response = await pair.client.fetch('/events', { signal: caller.signal, bodyIdleMs: Infinity });
  const reading = response.text();
  caller.abort();
  await assert.rejects(reading, (thrown) => thrown instanceof MvmError && thrown.code === 'CANCELLED');
  await cancelled.promise;
  assert.equal(await (await pair.client.fetch('/')).text(), 'next');
});

test('an endless stream is cancelled when the peer leaves', async () => {
  const cancelled = latch();
  await using pair = await openPair({
    handler: () => new Response(new ReadableStream({ cancel: () => cancelled.resolve() })),
  });
  await pair.client.fetch('/events');
  await pair.clientEndpoint.close();
  await cancelled.promise;
});

test('a handler may answer before the request is whole, and need not read it', async () => {
  await using pair = await openPair({ handler: () => new Response('no thanks', { status: 413 }) });
  for (let round = 0; round < 3; round += 1) {
    const response = await pair.client.fetch('/', { method: 'POST', body: patternBytes(3_000_000) });
    assert.equal(response.status, 413);
    assert.equal(await response.text(), 'no thanks');
  }
});

test('both bodies of one request stay open and carry pieces to and fro', async () => {
  await using pair = await openPair({ handler: (request) => new Response(request.body) });
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const response = await pair.client.fetch('/peer/stream', { method: 'POST', body: readable });
  const reader = response.body?.getReader();
  for (let round = 1; round <= 5; round += 1) {
    const sent = writer.write(patternBytes(round));
    assert.deepEqual((await reader?.read())?.value, patternBytes(round));
    await sent;
  }
  await writer.close();
  assert.equal((await reader?.read())?.done, true);
});

test('a slow reader holds the sender back', async () => {
  let produced = 0;
  await using pair = await openPair({
    handler: () =>
      new Response(
        new ReadableStream(
          {
            pull: async (controller) => {
              await new Promise((resolve) => setImmediate(resolve));
              produced += 65_536;
              controller.enqueue(new Uint8Array(65_536));
            },
          },
          { highWaterMark: 0 },
        ),
      ),
  });
  const response = await pair.client.fetch('/');
  const reader = response.body?.getReader();
  await reader?.read();
  // The source stands still once the windows of the transport are full: nothing is produced any more.
  let before = -1;
  while (before !== produced) {
    before = produced;
    await (await pair.client.fetch('/', { method: 'HEAD' })).text();
    for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(produced < 16_000_000, `${produced} bytes were produced for a reader that takes none`);
  await reader?.cancel();
});

test('what a handler throws becomes an answer with the code of the error', async () => {
  const unexpected: unknown[] = [];
  await using pair = await openPair({
    handler: (request) => {
      if (request.url.endsWith('/ours')) throw mvmError('JOB_NOT_FOUND', 'no job has the id "x"', { id: 'x' });
      throw new Error('secret detail');
    },
    onHandlerError: (thrown) => unexpected.push(thrown),
  });
  const ours = await pair.client.fetch('/ours');
  assert.equal(ours.status, 404);
  assert.deepEqual(await ours.json(), {
    error: { code: 'JOB_NOT_FOUND', message: 'no job has the id "x"', details: { id: 'x' } },
  });
  const other = await pair.client.fetch('/other');
  assert.equal(other.status, 500);
  assert.doesNotMatch(await other.text(), /secret detail/);
  assert.equal(unexpected.length, 1);
});

test('a body over the limit is refused, by its announced and by its real length', async () => {
  await using pair = await openPair({
    handler: async (request) => new Response(String((await request.arrayBuffer()).byteLength)),
    requestBodyBytesMax: 1_000,
  });
  const body = patternBytes(1_001);
  const announced = await pair.client.fetch('/', { method: 'POST', body });
  assert.equal(announced.status, 413);
  const streamed = await pair.client.fetch('/', { method: 'POST', body: new Blob([body]).stream() });
  assert.equal(streamed.status, 413);
  const { error } = (await streamed.json()) as { error: { code: string } };
  assert.equal(error.code, 'PAYLOAD_TOO_LARGE');
  const exact = await pair.client.fetch('/', { method: 'POST', body: body.subarray(1) });
  assert.equal(await exact.text(), '1000');
});

test('stopping lets requests under way finish, refuses new ones, and tells the client', async () => {
  const started = latch();
  const release = latch();
  await using pair = await openPair({
    handler: async () => {
      started.resolve();
      await release.promise;
      return new Response('finished');
    },
  });
  const underWay = pair.client.fetch('/');
  await started.promise;
  const stopped = pair.server.stop();
  await pair.client.draining;
  const refused = pair.client.fetch('/');
  await assert.rejects(refused, (thrown) => thrown instanceof MvmError && thrown.code === 'UNAVAILABLE');
  release.resolve();
  assert.equal(await (await underWay).text(), 'finished');
  await stopped;
  await pair.client.closed;
  assert.equal(pair.server.connections.length, 0);
});

test('stopping does not wait for ever for a handler that does not end', async () => {
  const started = latch();
  await using pair = await openPair({
    handler: async () => {
      started.resolve();
      return new Promise(() => undefined);
    },
  });
  const underWay = pair.client.fetch('/');
  const failed = assert.rejects(underWay);
  await started.promise;
  await pair.server.stop({ drainMs: 20 });
  await failed;
});

test('peers are announced when they join and when they leave', async () => {
  await using endpoint = await openPeer();
  await using other = await openPeer();
  const changes = new EventTarget();
  serveHttp3(endpoint, {
    handler: () => new Response(),
    onPeer: (change, nodeId) => changes.dispatchEvent(new CustomEvent(change, { detail: nodeId })),
  });
  const joined = once(changes, 'joined');
  const client = await connectHttp3(other, endpoint.address());
  assert.equal(((await joined)[0] as CustomEvent).detail, other.id);
  const left = once(changes, 'left');
  await client.close();
  assert.equal(((await left)[0] as CustomEvent).detail, other.id);
});

test('one connection can be served alone', async () => {
  await using endpoint = await openPeer();
  await using other = await openPeer();
  const incoming = endpoint.connections('iroh+h3')[Symbol.asyncIterator]().next();
  const connecting = connectHttp3(other, endpoint.address());
  const first = await incoming;
  assert.ok(first.done !== true);
  serveHttp3(first.value, { handler: () => new Response('alone') });
  assert.equal(await (await (await connecting).fetch('/')).text(), 'alone');
});

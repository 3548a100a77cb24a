import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MvmError } from '@mvm-ci/protocol';

import { netLimits } from '../../src/index.ts';
import { latch, openPair, patternBytes } from '../fixtures/peers.ts';

const hasCode =
  (code: string) =>
  (thrown: unknown): boolean => {
    assert.ok(thrown instanceof MvmError, String(thrown));
    assert.equal(thrown.code, code, thrown.message);
    return true;
  };

const bytesOf = async (response: Response): Promise<Uint8Array> => new Uint8Array(await response.arrayBuffer());

/** A body in pieces that nothing announces the length of. */
const streamed = (bytes: Uint8Array, pieceBytes = 10_000): ReadableStream<Uint8Array> => {
  let offset = 0;
  return new ReadableStream({
    pull: (controller) => {
      if (offset >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(offset, offset + pieceBytes));
      offset += pieceBytes;
    },
  });
};

test('method, path, query, headers, body and the proven id reach the handler, and its answer comes back', async () => {
  await using pair = await openPair({
    handler: async (request, peer) => {
      const { pathname, search } = new URL(request.url);
      const seen = { method: request.method, pathname, search, nodeId: peer.nodeId, body: await request.text() };
      return Response.json(
        { ...seen, header: request.headers.get('x-test') },
        { status: 201, headers: { 'x-a': 'b' } },
      );
    },
  });
  const response = await pair.client.fetch('/queue/publish?a=b%20c', {
    method: 'POST',
    headers: { 'X-Test': 'täst' },
    body: 'grüß',
  });
  assert.equal(response.status, 201);
  assert.equal(response.headers.get('x-a'), 'b');
  assert.equal(response.headers.get('content-type'), 'application/json');
  assert.deepEqual(await response.json(), {
    method: 'POST',
    pathname: '/queue/publish',
    search: '?a=b%20c',
    nodeId: pair.clientEndpoint.id,
    body: 'grüß',
    header: 'täst',
  });
});

test('statuses without a body, HEAD, and empty bodies end at once', async () => {
  await using pair = await openPair({
    handler: (request) => (request.method === 'HEAD' ? new Response('not sent') : new Response(null, { status: 204 })),
  });
  assert.equal((await pair.client.fetch('/')).status, 204);
  const head = await pair.client.fetch('/', { method: 'HEAD' });
  assert.equal(await head.text(), '');
  assert.equal((await pair.client.fetch('/', { method: 'POST', body: '' })).status, 204);
});

test('a body of 1 MiB comes through both ways, buffered and streamed', async () => {
  const bytes = patternBytes(1_048_576);
  await using pair = await openPair({
    handler: async (request) => {
      const received = new Uint8Array(await request.arrayBuffer());
      return new Response(request.url.endsWith('/streamed') ? streamed(received) : received);
    },
  });
  const buffered = await pair.client.fetch('/', { method: 'POST', body: bytes });
  assert.equal(buffered.headers.get('content-length'), '1048576');
  assert.deepEqual(await bytesOf(buffered), bytes);
  const response = await pair.client.fetch('/streamed', { method: 'POST', body: streamed(bytes) });
  assert.equal(response.headers.get('content-length'), null);
  assert.deepEqual(await bytesOf(response), bytes);
});

test('more requests than places and stream credit all get their own answer', async () => {
  await using pair = await openPair({ handler: async (request) => new Response(await request.text()) });
  const total = netLimits.requestsPerConnectionMax + 50;
  const answers = await Promise.all(
    Array.from({ length: total }, async (_, index) =>
      (await pair.client.fetch('/', { method: 'POST', body: `request ${index}` })).text(),
    ),
  );
  assert.deepEqual(
    answers,
    answers.map((_, index) => `request ${index}`),
  );
});

test('requests that were given up leave no stream behind', async () => {
  const arrived = latch();
  await using pair = await openPair({
    handler: (request) => {
      if (request.url.endsWith('/quick')) return new Response('quick');
      arrived.resolve();
      return new Promise(() => undefined);
    },
  });
  // Several times the stream credit, so that a leak would make the last request hang.
  for (let round = 0; round < 4; round += 1) {
    const caller = new AbortController();
    const polls = Array.from({ length: netLimits.clientRequestsMax }, async () =>
      pair.client.fetch('/poll', { signal: caller.signal, deadlineMs: Infinity }),
    );
    await arrived.promise;
    caller.abort();
    for (const poll of await Promise.allSettled(polls)) {
      assert.equal(poll.status, 'rejected');
      assert.ok(hasCode('CANCELLED')(poll.reason));
    }
  }
  assert.equal(await (await pair.client.fetch('/quick')).text(), 'quick');
  assert.equal(pair.client.isDraining, false, 'the connection is still the first one');
});

test('the handler learns that its caller gave up', async () => {
  const started = latch();
  const noticed = latch<unknown>();
  await using pair = await openPair({
    handler: async (request) => {
      request.signal.addEventListener('abort', () => noticed.resolve(request.signal.reason));
      started.resolve();
      await noticed.promise;
      return new Response('too late');
    },
  });
  const caller = new AbortController();
  const poll = pair.client.fetch('/', { signal: caller.signal });
  await started.promise;
  caller.abort();
  await assert.rejects(poll, hasCode('CANCELLED'));
  assert.ok((await noticed.promise) instanceof MvmError);
});

test('a deadline that passes while the peer is silent closes the connection', async () => {
  await using pair = await openPair({ handler: async () => new Promise(() => undefined) });
  const hanging = pair.client.fetch('/', { deadlineMs: 100 });
  await assert.rejects(hanging, hasCode('DEADLINE_EXCEEDED'));
  const { by } = await pair.client.closed;
  assert.equal(by, 'local');
  await assert.rejects(pair.client.fetch('/'), hasCode('CONNECTION_LOST'));
});

test('a deadline that passes while the peer answers others costs that request only', async () => {
  const started = latch();
  await using pair = await openPair({
    handler: async (request) => {
      if (request.url.endsWith('/quick')) return new Response('quick');
      started.resolve();
      return new Promise(() => undefined);
    },
  });
  const slow = pair.client.fetch('/slow', { deadlineMs: 500 });
  await started.promise;
  await (await pair.client.fetch('/quick')).text();
  await assert.rejects(slow, hasCode('DEADLINE_EXCEEDED'));
  assert.equal(await (await pair.client.fetch('/quick')).text(), 'quick');
});

test('a connection that is lost in the middle of a body is an error, not a short body', async () => {
  await using pair = await openPair({
    handler: () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(patternBytes(1_000)),
        }),
      ),
  });
  const response = await pair.client.fetch('/');
  const body = response.body?.getReader();
  assert.equal((await body?.read())?.value?.length, 1_000);
  const failed = assert.rejects(async () => body?.read(), hasCode('CONNECTION_LOST'));
  await pair.serverEndpoint.close();
  await failed;
});

test('a response body that fails at the server fails at the client', async () => {
  await using pair = await openPair({
    handler: () => {
      let pieces = 0;
      const body = new ReadableStream({
        pull: async (controller) => {
          await new Promise((resolve) => setImmediate(resolve));
          pieces += 1;
          if (pieces < 3) controller.enqueue(patternBytes(10));
          else controller.error(new Error('the disk broke'));
        },
      });
      return new Response(body);
    },
  });
  await assert.rejects(async () => (await pair.client.fetch('/')).text(), hasCode('CONNECTION_LOST'));
  assert.equal(pair.client.isDraining, false);
});

test('a path that would not survive is refused before it is sent', async () => {
  await using pair = await openPair({ handler: () => new Response() });
  for (const path of ['no-slash', '/with space', '/ümlaut', '']) {
    await assert.rejects(pair.client.fetch(path), hasCode('INVALID_ARGUMENT'), path);
  }
});

test('closing the client fails what is under way, and may be repeated', async () => {
  const started = latch();
  await using pair = await openPair({
    handler: async () => {
      started.resolve();
      return new Promise(() => undefined);
    },
  });
  const hanging = pair.client.fetch('/');
  const failed = assert.rejects(hanging, hasCode('CONNECTION_LOST'));
  await started.promise;
  await Promise.all([pair.client.close(), pair.client.close()]);
  await failed;
});

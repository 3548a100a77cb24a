/** Stopping, from both sides (RFC 9114 section 5.2), and connections that nobody uses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MvmError } from '@mvm-ci/protocol';

import { controlStreamRules, FrameDecoder, type FrameEvent } from '../../src/http3/frame-decoder.ts';
import { frame, frameTypes } from '../../src/http3/frame.ts';
import { readVarints, varint } from '../../src/http3/varint.ts';
import { netLimits, serveHttp3, type PeerConnection } from '../../src/index.ts';
import { FakeClock } from '../fixtures/fake-clock.ts';
import { bodyOf, push } from '../fixtures/frames.ts';
import { latch, openPair, openPeer } from '../fixtures/peers.ts';
import { exchange, headers, openControl, openRawClient, openRawServer, requestHead } from '../fixtures/raw-peer.ts';

const isUnavailable = (thrown: unknown): boolean => thrown instanceof MvmError && thrown.code === 'UNAVAILABLE';

const goawayId = (event: FrameEvent): number[] =>
  event.kind === 'frame' && event.type === frameTypes.GOAWAY ? readVarints(event.payload) : [];

/** The ids of the GOAWAYs that come on the peer's control stream, until it ends. */
const goaways = async function* (connection: PeerConnection): AsyncGenerator<number> {
  for (;;) {
    const half = await connection.acceptUnidirectional();
    const first = await half.read(4_096);
    if (first[0] !== 0) continue;
    const decoder = new FrameDecoder(controlStreamRules(4_096));
    for (let bytes = first.subarray(1); ; bytes = await half.read(4_096)) {
      yield* push(decoder, bytes).flatMap(goawayId);
    }
  }
};

test('a server that stops says so twice: first it refuses nothing, then it names the first request that it refuses', async () => {
  await using server = await openPeer();
  await using client = await openPeer();
  const clock = new FakeClock();
  const serving = serveHttp3(server, { handler: async (request) => new Response(await request.text()), clock });
  const connection = await client.connect(server.address(), { alpn: 'iroh+h3' });
  await exchange(connection, [requestHead('GET')], { finish: true });
  const seen = goaways(connection);
  const stopped = serving.stop();
  assert.equal((await seen.next()).value, 2 ** 53 - 4);
  const underWay = await exchange(connection, [requestHead('GET')], { finish: true });
  assert.equal(bodyOf(underWay), '', 'a request that was on its way is served');
  clock.advance(netLimits.goawayNoticeMs);
  assert.equal((await seen.next()).value, 8);
  await assert.rejects(exchange(connection, [requestHead('GET')], { finish: true }));
  connection.close(0x100, '');
  await stopped;
});

test('a client that drains says so, finishes what is under way, starts nothing, and closes', async () => {
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
  const drained = pair.client.drain();
  await assert.rejects(pair.client.fetch('/'), isUnavailable);
  release.resolve();
  assert.equal(await (await underWay).text(), 'finished');
  await drained;
  assert.equal((await pair.client.closed).by, 'local');
});

test('a GOAWAY arrives at the server, with the id of a push', async () => {
  // A request that is under way: without one the client closes at once, and with that throws away what isn't taken yet.
  const release = latch();
  await using pair = await openRawServer(async ({ send, receive }) => {
    await receive.read(4_096);
    await release.promise;
    await send.writeAll(headers([[':status', '204']]));
    await send.finish();
  });
  const seen = goaways(pair.connection);
  const underWay = pair.client.fetch('/');
  const drained = pair.client.drain();
  assert.equal((await seen.next()).value, 0);
  release.resolve();
  assert.equal((await underWay).status, 204);
  await drained;
});

test('a request that a stopping server will not touch fails at once, and those before it go on', async () => {
  const arrivals = [latch(), latch()];
  let count = 0;
  await using pair = await openRawServer(async ({ send, receive }) => {
    await receive.read(4_096);
    arrivals[count]?.resolve();
    count += 1;
    await refused.promise;
    await send.writeAll(headers([[':status', '204']]));
    await send.finish();
  });
  const refused = latch();
  const first = pair.client.fetch('/');
  // Streams that are opened at the same moment may get their ids in either order.
  await arrivals[0]?.promise;
  const second = pair.client.fetch('/');
  await arrivals[1]?.promise;
  await pair.control.writeAll(frame(frameTypes.GOAWAY, varint(4)));
  await assert.rejects(second, isUnavailable);
  refused.resolve();
  assert.equal((await first).status, 204);
});

test('a connection without requests is ended after the idle time, one with a request is not', async () => {
  const clock = new FakeClock();
  const started = latch();
  const release = latch();
  await using pair = await openPair({
    handler: async () => {
      started.resolve();
      await release.promise;
      return new Response('late');
    },
    connectionIdleMs: 1_000,
    clock,
  });
  const slow = pair.client.fetch('/');
  await started.promise;
  clock.advance(1_500);
  await clock.nextTurn();
  assert.equal(pair.client.isDraining, false);
  release.resolve();
  assert.equal(await (await slow).text(), 'late');
  while (!pair.client.isDraining) {
    clock.advance(500);
    await clock.nextTurn();
  }
  await pair.client.closed;
});

test('requests that are given up again and again do not pile up handlers that ignore it', async () => {
  let working = 0;
  await using pair = await openRawClient({
    handler: async () => {
      working += 1;
      return new Promise(() => undefined);
    },
    handlersPerConnectionMax: 5,
  });
  const control = await openControl(pair.connection);
  let refused = 0;
  for (let index = 0; index < 12; index += 1) {
    const answer = exchange(pair.connection, [requestHead('GET')], { finish: true });
    await control.writeAll(frame(frameTypes.CANCEL_REQUEST, varint(4 * index)));
    await answer.catch(() => (refused += 1));
  }
  assert.equal(refused, 12);
  assert.ok(working <= 5, `${working} handlers work`);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { http3CodeName } from '../../src/http3/error.ts';
import { frame, frameTypes } from '../../src/http3/frame.ts';
import { decodeFieldSection } from '../../src/http3/qpack/decoder.ts';
import { varint } from '../../src/http3/varint.ts';
import { StreamFailure } from '../../src/peer-connection.ts';
import type { PeerConnection } from '../../src/index.ts';
import { bodyOf, framesOf } from '../fixtures/frames.ts';
import { data, exchange, grease, openControl, openRawClient, openStream, requestHead } from '../fixtures/raw-peer.ts';
import { endOf, latch } from '../fixtures/peers.ts';

const echo = { handler: async (request: Request) => new Response(await request.text()) };
const nothing = new Uint8Array(0);

/** The code with which the server closes the connection. */
const closedWith = async (connection: PeerConnection): Promise<string> => {
  const { by, code, text } = await endOf(connection);
  assert.equal(by, 'peer', text);
  return http3CodeName(code ?? -1);
};

const resetWith =
  (name: string) =>
  (thrown: unknown): boolean => {
    assert.ok(thrown instanceof StreamFailure, String(thrown));
    assert.equal(http3CodeName(thrown.streamCode), name);
    return true;
  };

test('a stranger that follows the rules is served, with grease everywhere', async () => {
  await using pair = await openRawClient(echo);
  await openControl(pair.connection, grease);
  await openStream(pair.connection, 0x02);
  await openStream(pair.connection, 0x03);
  await openStream(pair.connection, 0x21, Uint8Array.of(1, 2, 3));
  const request = [
    grease,
    requestHead('POST'),
    grease,
    data(Buffer.from('hel')),
    data(nothing),
    data(Buffer.from('lo')),
  ];
  const answer = await exchange(pair.connection, [...request, grease], { finish: true });
  const [head] = framesOf(answer);
  assert.ok(head?.kind === 'frame');
  assert.deepEqual(decodeFieldSection(head.payload, 65_536)[0], [':status', '200']);
  assert.equal(bodyOf(answer), 'hello');
});

test('a stranger that opens no control stream is served too', async () => {
  await using pair = await openRawClient(echo);
  assert.equal(
    bodyOf(await exchange(pair.connection, [requestHead('POST'), data(Buffer.from('x'))], { finish: true })),
    'x',
  );
});

test('one byte at a time is as good as all at once', async () => {
  await using pair = await openRawClient(echo);
  const bytes = Buffer.concat([requestHead('POST'), data(Buffer.from('hello'))]);
  const pieces = [...bytes].map((byte) => Uint8Array.of(byte));
  assert.equal(bodyOf(await exchange(pair.connection, pieces, { finish: true })), 'hello');
});

test('a body that is cut is an error for the handler, never a short body', async () => {
  const seen: string[] = [];
  const handler = async (request: Request): Promise<Response> => {
    seen.push(
      await request.text().then(
        (text) => `whole: ${text}`,
        (thrown: unknown) => String(thrown),
      ),
    );
    return new Response('answered');
  };
  await using pair = await openRawClient({ handler });
  const announced = [requestHead('POST', ['content-length', '10']), data(Buffer.from('12345'))];
  await exchange(pair.connection, announced, { finish: true });
  const untrailed = [requestHead('POST', ['trailer', 'mvm-body-length']), data(Buffer.from('12345'))];
  await exchange(pair.connection, untrailed, { finish: true });
  const tooLong = [requestHead('POST', ['content-length', '3']), data(Buffer.from('12345'))];
  await exchange(pair.connection, tooLong, { finish: true });
  assert.equal(seen.length, 3);
  for (const text of seen) assert.match(text, /H3_MESSAGE_ERROR/);
});

test('a stream that never gives its head is ended by a deadline', async () => {
  await using pair = await openRawClient({ ...echo, requestHeadMs: 50 });
  const { send } = await pair.connection.openBidirectional();
  await send.writeAll(Uint8Array.of(frameTypes.HEADERS));
  assert.equal(await closedWith(pair.connection), 'H3_GENERAL_PROTOCOL_ERROR');
});

test('a sender that stops in the middle of a body is ended by a deadline', async () => {
  await using pair = await openRawClient({ ...echo, bodyIdleMs: 50 });
  const { send } = await pair.connection.openBidirectional();
  await send.writeAll(requestHead('POST'));
  assert.equal(await closedWith(pair.connection), 'H3_GENERAL_PROTOCOL_ERROR');
});

test('a sender that is silent for longer on a path that stays open is not', async () => {
  const options = { ...echo, bodyIdleMs: 50, endlessPaths: new Set(['/']) };
  await using pair = await openRawClient(options);
  const open = await pair.connection.openBidirectional();
  await open.send.writeAll(requestHead('POST'));
  // A second connection's deadline, which began later, is over first.
  await using other = await openRawClient({ ...echo, bodyIdleMs: 100 });
  const { send } = await other.connection.openBidirectional();
  await send.writeAll(requestHead('POST'));
  assert.equal(await closedWith(other.connection), 'H3_GENERAL_PROTOCOL_ERROR');
  assert.equal(pair.connection.isClosed, false);
});

test('a reader that takes nothing of a large response is ended by a deadline', async () => {
  await using pair = await openRawClient({ handler: () => new Response(new Uint8Array(30_000_000)), bodyIdleMs: 200 });
  const stream = await pair.connection.openBidirectional();
  await stream.send.writeAll(requestHead('GET'));
  await stream.send.finish();
  assert.equal(await closedWith(pair.connection), 'H3_GENERAL_PROTOCOL_ERROR');
  // Held until here: a half that is collected tells the server to stop, and the response ends at once.
  assert.ok(stream.receive);
});

test('a control stream that is reset counts as closed, and a request is cancelled over it before', async () => {
  const cancelled = latch();
  const arrived = latch();
  const handler = async (request: Request): Promise<Response> => {
    request.signal.addEventListener('abort', () => cancelled.resolve());
    arrived.resolve();
    return new Promise(() => undefined);
  };
  await using pair = await openRawClient({ handler });
  const control = await openControl(pair.connection);
  const request = exchange(pair.connection, [requestHead('GET')], { finish: true });
  const rejected = assert.rejects(request, resetWith('H3_REQUEST_CANCELLED'));
  await arrived.promise;
  await control.writeAll(frame(frameTypes.CANCEL_REQUEST, varint(0)));
  await Promise.all([cancelled.promise, rejected]);
  await control.reset(0);
  assert.equal(await closedWith(pair.connection), 'H3_CLOSED_CRITICAL_STREAM');
});

test('stream cancellations on the decoder stream and capacity 0 on the encoder stream are fine', async () => {
  await using pair = await openRawClient(echo);
  const held = [
    await openStream(pair.connection, 2, Uint8Array.of(0x20)),
    await openStream(pair.connection, 3, Uint8Array.of(0x44, 0x7f, 0x81, 0x01, 0x40)),
  ];
  assert.equal(
    bodyOf(await exchange(pair.connection, [requestHead('POST'), data(Buffer.from('x'))], { finish: true })),
    'x',
  );
  assert.equal(held.length, 2);
});

test('one hostile connection does not disturb another one', async () => {
  await using hostile = await openRawClient(echo);
  const garbage = Uint8Array.from({ length: 5_000 }, (_, index) => (index * 7 + 3) & 0xff);
  await Promise.allSettled([exchange(hostile.connection, [garbage], { finish: true })]);
  await using honest = await openRawClient(echo);
  assert.equal(
    bodyOf(await exchange(honest.connection, [requestHead('POST'), data(Buffer.from('x'))], { finish: true })),
    'x',
  );
});

/** Every rule that a peer can break towards our server, one row each: what it does, what it is told, and by which RFC. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { http3CodeName, type ErrorScope, type Http3Code } from '../../src/http3/error.ts';
import { frame, frameHead, frameTypes } from '../../src/http3/frame.ts';
import { netLimits } from '../../src/limits.ts';
import { varint } from '../../src/http3/varint.ts';
import { joinBytes } from '../../src/bytes.ts';
import { StreamFailure, type PeerConnection } from '../../src/peer-connection.ts';
import { endOf } from '../fixtures/peers.ts';
import { bodyOf } from '../fixtures/frames.ts';
import { data, exchange, headers, openControl, openRawClient, openStream, requestHead } from '../fixtures/raw-peer.ts';

const nothing = new Uint8Array(0);
const one = data(Buffer.from('x'));
const trailers = headers([['x-a', 'b']]);
const post = requestHead('POST');
const head = (...lines: readonly (readonly [string, string])[]): Uint8Array => headers(lines);
const pseudo = { method: [':method', 'GET'], scheme: [':scheme', 'https'], path: [':path', '/'] } as const;
const authority = [':authority', 'x'] as const;
const repeated = (times: number, bytes: Uint8Array): Uint8Array =>
  joinBytes(Array.from({ length: times }, () => bytes));

type Row = readonly [rule: string, code: Http3Code, scope: ErrorScope, pieces: readonly Uint8Array[]];

const onRequestStreams: readonly Row[] = [
  ['9114 4.1: DATA before HEADERS', 'H3_FRAME_UNEXPECTED', 'connection', [one, post]],
  ['9114 4.1: empty DATA before HEADERS', 'H3_FRAME_UNEXPECTED', 'connection', [data(nothing), post]],
  ['9114 4.1: DATA after the trailers', 'H3_FRAME_UNEXPECTED', 'connection', [post, one, trailers, one]],
  ['9114 4.1: HEADERS after the trailers', 'H3_FRAME_UNEXPECTED', 'connection', [post, one, trailers, trailers]],
  ['9114 4.1: no head', 'H3_REQUEST_INCOMPLETE', 'stream', []],
  ['9114 4.1: nothing but grease', 'H3_REQUEST_INCOMPLETE', 'stream', [frame(0x21, nothing)]],
  ['9114 4.1.2: no method', 'H3_MESSAGE_ERROR', 'stream', [head(pseudo.scheme, authority, pseudo.path)]],
  [
    '9114 4.1.2: a content-length that is no number',
    'H3_MESSAGE_ERROR',
    'stream',
    [requestHead('PUT', ['content-length', 'x'])],
  ],
  [
    '9114 4.1.2: body longer than content-length',
    'H3_MESSAGE_ERROR',
    'stream',
    [requestHead('PUT', ['content-length', '1']), data(Buffer.from('xy'))],
  ],
  [
    '9114 4.1.2: body shorter than content-length',
    'H3_MESSAGE_ERROR',
    'stream',
    [requestHead('PUT', ['content-length', '3']), data(Buffer.from('xy'))],
  ],
  ['9114 4.2: upper case in a name', 'H3_MESSAGE_ERROR', 'stream', [requestHead('GET', ['X-A', 'b'])]],
  ['9114 4.2: connection', 'H3_MESSAGE_ERROR', 'stream', [requestHead('GET', ['connection', 'close'])]],
  ['9114 4.2: transfer-encoding', 'H3_MESSAGE_ERROR', 'stream', [requestHead('GET', ['transfer-encoding', 'chunked'])]],
  ['9114 4.2: te other than trailers', 'H3_MESSAGE_ERROR', 'stream', [requestHead('GET', ['te', 'gzip'])]],
  ['9114 4.2: line break in a value', 'H3_MESSAGE_ERROR', 'stream', [requestHead('GET', ['x-a', 'b\r\nc: d'])]],
  [
    '9114 4.3: pseudo line after another',
    'H3_MESSAGE_ERROR',
    'stream',
    [head(pseudo.method, ['x-a', 'b'], pseudo.scheme, authority, pseudo.path)],
  ],
  ['9114 4.3: pseudo line of a response', 'H3_MESSAGE_ERROR', 'stream', [requestHead('GET', [':status', '200'])]],
  ['9114 4.3: unknown pseudo line', 'H3_MESSAGE_ERROR', 'stream', [requestHead('GET', [':color', 'red'])]],
  [
    '9114 4.3: pseudo line twice',
    'H3_MESSAGE_ERROR',
    'stream',
    [head(pseudo.method, pseudo.method, pseudo.scheme, authority, pseudo.path)],
  ],
  ['9114 4.3: pseudo line in trailers', 'H3_MESSAGE_ERROR', 'stream', [post, one, headers([[':path', '/']])]],
  ['9114 4.3.1: no authority', 'H3_MESSAGE_ERROR', 'stream', [head(pseudo.method, pseudo.scheme, pseudo.path)]],
  [
    '9114 4.3.1: user info in the authority',
    'H3_MESSAGE_ERROR',
    'stream',
    [head(pseudo.method, pseudo.scheme, [':authority', 'a@x'], pseudo.path)],
  ],
  ['9114 4.3.1: host and authority differ', 'H3_MESSAGE_ERROR', 'stream', [requestHead('GET', ['host', 'y'])]],
  [
    '9114 4.3.1: authority that is none',
    'H3_MESSAGE_ERROR',
    'stream',
    [head(pseudo.method, pseudo.scheme, [':authority', 'a:b:c'], pseudo.path)],
  ],
  [
    '9114 4.3.1: empty path',
    'H3_MESSAGE_ERROR',
    'stream',
    [head(pseudo.method, pseudo.scheme, authority, [':path', ''])],
  ],
  ['9114 4.4: CONNECT, not offered', 'H3_MESSAGE_ERROR', 'stream', [head([':method', 'CONNECT'], authority)]],
  [
    '9114 7.1: end inside a frame',
    'H3_FRAME_ERROR',
    'connection',
    [frameHead(frameTypes.HEADERS, 9), Uint8Array.of(0)],
  ],
  ['9114 7.1: end inside a frame head', 'H3_FRAME_ERROR', 'connection', [post, Uint8Array.of(0x00, 0x40)]],
  ['9114 7.2.4: SETTINGS', 'H3_FRAME_UNEXPECTED', 'connection', [frame(frameTypes.SETTINGS, nothing)]],
  ['9114 7.2.3: CANCEL_PUSH', 'H3_FRAME_UNEXPECTED', 'connection', [frame(frameTypes.CANCEL_PUSH, varint(0))]],
  ['9114 7.2.5: PUSH_PROMISE', 'H3_FRAME_UNEXPECTED', 'connection', [frame(frameTypes.PUSH_PROMISE, varint(0))]],
  ['9114 7.2.6: GOAWAY', 'H3_FRAME_UNEXPECTED', 'connection', [frame(frameTypes.GOAWAY, varint(0))]],
  ['9114 7.2.7: MAX_PUSH_ID', 'H3_FRAME_UNEXPECTED', 'connection', [frame(frameTypes.MAX_PUSH_ID, varint(0))]],
  ['9114 7.2.8: frame of HTTP/2', 'H3_FRAME_UNEXPECTED', 'connection', [frame(0x08, nothing)]],
  [
    '9114 7.2.8: frame of HTTP/2 behind a whole body',
    'H3_FRAME_UNEXPECTED',
    'connection',
    [requestHead('POST', ['content-length', '1']), joinBytes([one, frame(0x06, nothing)])],
  ],
  [
    '9114 4.2.2: head over the announced limit',
    'H3_EXCESSIVE_LOAD',
    'stream',
    [frameHead(frameTypes.HEADERS, 1_000_000)],
  ],
  [
    '9114 4.2.2: head that unfolds over it',
    'H3_EXCESSIVE_LOAD',
    'stream',
    [frame(frameTypes.HEADERS, new Uint8Array(20_002).fill(0xdd, 2))],
  ],
  [
    '9114 10.5: a million empty frames',
    'H3_EXCESSIVE_LOAD',
    'connection',
    [post, repeated(netLimits.framesSayingNothingMax + 1, data(nothing))],
  ],
  [
    '9114 10.5: a million unknown frames',
    'H3_EXCESSIVE_LOAD',
    'connection',
    [repeated(netLimits.framesSayingNothingMax + 1, frame(0x21, nothing))],
  ],
  [
    '9204 2.2.1: a reference to the dynamic table',
    'QPACK_DECOMPRESSION_FAILED',
    'connection',
    [frame(frameTypes.HEADERS, Uint8Array.of(0, 0, 0x80))],
  ],
  [
    '9204 3.1: an index past the static table',
    'QPACK_DECOMPRESSION_FAILED',
    'connection',
    [frame(frameTypes.HEADERS, Uint8Array.of(0, 0, 0xff, 0x24))],
  ],
  [
    '9204 4.5.1: a required insert',
    'QPACK_DECOMPRESSION_FAILED',
    'connection',
    [frame(frameTypes.HEADERS, Uint8Array.of(2, 0, 0xd1))],
  ],
  [
    '7541 5.2: wrong Huffman padding',
    'QPACK_DECOMPRESSION_FAILED',
    'connection',
    [frame(frameTypes.HEADERS, Uint8Array.of(0, 0, 0x51, 0x81, 0x18))],
  ],
];

type Violation = (connection: PeerConnection) => Promise<unknown>;
const control =
  (...frames: readonly Uint8Array[]): Violation =>
  async (connection) =>
    openControl(connection, ...frames);
const first =
  (...frames: readonly Uint8Array[]): Violation =>
  async (connection) =>
    openStream(connection, 0, ...frames);
const settings = (...numbers: readonly number[]): Uint8Array =>
  frame(frameTypes.SETTINGS, joinBytes([nothing, ...numbers.map(varint)]));
const several =
  (type: number, count: number) =>
  async (connection: PeerConnection): Promise<unknown> => {
    const halves = [];
    for (let index = 0; index < count; index += 1) {
      const half = await openStream(connection, type, type === 0 ? settings() : nothing);
      halves.push(half);
      if (type > 3) await half.finish().catch(() => undefined);
    }
    return halves;
  };

const goaway = frame(frameTypes.GOAWAY, varint(4));
const maxPushId = (id: number): Uint8Array => frame(frameTypes.MAX_PUSH_ID, varint(id));

const onOtherStreams: readonly (readonly [rule: string, code: Http3Code, violate: Violation])[] = [
  ['9114 6.2.1: another frame before SETTINGS', 'H3_MISSING_SETTINGS', first(goaway)],
  ['9114 6.2.1: a second control stream', 'H3_STREAM_CREATION_ERROR', several(0, 2)],
  [
    '9114 6.2.1: the control stream ends',
    'H3_CLOSED_CRITICAL_STREAM',
    async (connection) => (await openControl(connection)).finish(),
  ],
  [
    '9114 6.2.1: the control stream is reset',
    'H3_CLOSED_CRITICAL_STREAM',
    async (connection) => {
      const half = await openControl(connection);
      // A reset may overtake what the stream carried, its type too (RFC 9000 section 3.5): the server reads it first.
      await exchange(connection, [post], { finish: true });
      await half.reset(0);
    },
  ],
  [
    '9114 6.2.2: a push stream of a client',
    'H3_STREAM_CREATION_ERROR',
    async (connection) => openStream(connection, 1),
  ],
  [
    '9114 7.1: a frame that holds more than its fields',
    'H3_FRAME_ERROR',
    control(frame(frameTypes.GOAWAY, Uint8Array.of(1, 1))),
  ],
  ['9114 7.1: a frame that holds less', 'H3_FRAME_ERROR', control(frame(frameTypes.GOAWAY, nothing))],
  ['9114 7.1: a setting without its value', 'H3_FRAME_ERROR', first(settings(6))],
  ['9114 7.2.1: DATA', 'H3_FRAME_UNEXPECTED', control(data(nothing))],
  ['9114 7.2.2: HEADERS', 'H3_FRAME_UNEXPECTED', control(post)],
  [
    '9114 7.2.3: CANCEL_PUSH of a push that never was',
    'H3_ID_ERROR',
    control(frame(frameTypes.CANCEL_PUSH, varint(0))),
  ],
  ['9114 7.2.4: SETTINGS twice', 'H3_FRAME_UNEXPECTED', control(settings())],
  ['9114 7.2.4: a setting twice', 'H3_SETTINGS_ERROR', first(settings(6, 1, 6, 1))],
  ['9114 7.2.4.1: a setting of HTTP/2', 'H3_SETTINGS_ERROR', first(settings(2, 0))],
  ['9114 7.2.5: PUSH_PROMISE', 'H3_FRAME_UNEXPECTED', control(frame(frameTypes.PUSH_PROMISE, varint(0)))],
  ['9114 5.2: GOAWAY that grows', 'H3_ID_ERROR', control(goaway, frame(frameTypes.GOAWAY, varint(8)))],
  ['9114 7.2.7: MAX_PUSH_ID that shrinks', 'H3_ID_ERROR', control(maxPushId(7), maxPushId(6))],
  ['9114 7.2.8: a frame of HTTP/2', 'H3_FRAME_UNEXPECTED', control(frame(0x06, nothing))],
  ['9114 10.5: a frame over our limit', 'H3_EXCESSIVE_LOAD', first(frameHead(frameTypes.SETTINGS, 1_000_000))],
  [
    '9114 10.5: control frames without end',
    'H3_EXCESSIVE_LOAD',
    control(repeated(netLimits.controlFramesMax + 1, goaway)),
  ],
  [
    '9114 10.5: streams of unknown types without end',
    'H3_EXCESSIVE_LOAD',
    several(0x21, netLimits.ignoredStreamsMax + 1),
  ],
  [
    '9114 10.5: more cancellations than requests',
    'H3_EXCESSIVE_LOAD',
    control(repeated(netLimits.requestsPerConnectionMax + 1, frame(frameTypes.CANCEL_REQUEST, varint(0)))),
  ],
  ['9204 4.2: a second encoder stream', 'H3_STREAM_CREATION_ERROR', several(2, 2)],
  [
    '9204 4.2: a QPACK stream ends',
    'H3_CLOSED_CRITICAL_STREAM',
    async (connection) => (await openStream(connection, 3)).finish(),
  ],
  [
    '9204 4.3.1: a capacity over our limit',
    'QPACK_ENCODER_STREAM_ERROR',
    async (connection) => openStream(connection, 2, Uint8Array.of(0x3f, 0x45)),
  ],
  [
    '9204 4.3.2: an insertion',
    'QPACK_ENCODER_STREAM_ERROR',
    async (connection) => openStream(connection, 2, Uint8Array.of(0xc0, 0)),
  ],
  [
    '9204 4.4.1: an acknowledgement of nothing',
    'QPACK_DECODER_STREAM_ERROR',
    async (connection) => openStream(connection, 3, Uint8Array.of(0x80)),
  ],
  [
    '9204 4.4.3: an insert count increment',
    'QPACK_DECODER_STREAM_ERROR',
    async (connection) => openStream(connection, 3, Uint8Array.of(1)),
  ],
];

/** The answer comes only after the whole request, so that a violation at any place of it is seen before. */
const echo = { handler: async (request: Request) => new Response(await request.text()) };

/**
 * With what code the server closes a connection on which `violate` broke a rule. When a connection is closed in its first
 * moments, the transport may lose the code, and ends it by a stateless reset (RFC 9000 section 10.3): then another is tried.
 */
const closedWith = async (violate: Violation, triesLeft = 3): Promise<string> => {
  await using pair = await openRawClient(echo);
  const held = await violate(pair.connection).catch((thrown: unknown) => thrown);
  const { by, code, text } = await endOf(pair.connection);
  if (by === 'transport' && triesLeft > 1) return await closedWith(violate, triesLeft - 1);
  assert.equal(by, 'peer', text);
  // What is collected is finished: the streams live until here.
  assert.notEqual(held, null);
  return http3CodeName(code ?? -1);
};

describe('on a request stream', () => {
  for (const [rule, code, scope, pieces] of onRequestStreams) {
    test(`${rule}: ${code}, of the ${scope}`, async () => {
      if (scope === 'connection') {
        const violate: Violation = async (connection) => exchange(connection, pieces, { finish: true });
        assert.equal(await closedWith(violate), code);
        return;
      }
      await using pair = await openRawClient(echo);
      await assert.rejects(exchange(pair.connection, pieces, { finish: true }), (thrown) => {
        assert.ok(thrown instanceof StreamFailure, String(thrown));
        return http3CodeName(thrown.streamCode) === code;
      });
      assert.equal(bodyOf(await exchange(pair.connection, [post, one], { finish: true })), 'x');
    });
  }
});

describe('on the control and QPACK streams', () => {
  for (const [rule, code, violate] of onOtherStreams) {
    test(`${rule}: ${code}`, async () => {
      assert.equal(await closedWith(violate), code);
    });
  }
});

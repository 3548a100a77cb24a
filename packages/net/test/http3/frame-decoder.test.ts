import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { joinBytes } from '../../src/bytes.ts';
import { Http3Error } from '../../src/http3/error.ts';
import {
  controlStreamRules,
  FrameDecoder,
  requestStreamRules,
  type FrameEvent,
} from '../../src/http3/frame-decoder.ts';
import { frame, frameHead, frameTypes } from '../../src/http3/frame.ts';
import { netLimits } from '../../src/limits.ts';
import { varint } from '../../src/http3/varint.ts';
import { push } from '../fixtures/frames.ts';

const limit = 1_000;
const requests = (): FrameDecoder => new FrameDecoder(requestStreamRules('server', limit));
const control = (): FrameDecoder => new FrameDecoder(controlStreamRules(limit));

const throwsH3 = (code: string, work: () => unknown): void => {
  assert.throws(work, (thrown) => thrown instanceof Http3Error && thrown.h3 === code);
};

/** What a reader sees, whatever the cuts: whole frames, and all DATA in one. */
const summary = (events: readonly FrameEvent[]): unknown => ({
  frames: events.filter((event) => event.kind === 'frame').map(({ type, payload }) => [type, [...payload]]),
  data: [...joinBytes(events.filter((event) => event.kind === 'data').map(({ bytes }) => bytes))],
});

const anyFrame = fc.oneof(
  fc.record({ type: fc.constant(frameTypes.HEADERS), payload: fc.uint8Array({ maxLength: 40 }) }),
  fc.record({ type: fc.constant(frameTypes.DATA), payload: fc.uint8Array({ maxLength: 40 }) }),
  fc.record({ type: fc.nat(100).map((n) => 0x1f * n + 0x21), payload: fc.uint8Array({ maxLength: 40 }) }),
);

test('frames are the same at every cut of the bytes', () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 6 }), (frames) => {
      const bytes = joinBytes([new Uint8Array(0), ...frames.map(({ type, payload }) => frame(type, payload))]);
      const whole = summary(push(requests(), bytes));
      for (let cut = 0; cut <= bytes.length; cut += 1) {
        const decoder = requests();
        const events = [...push(decoder, bytes.subarray(0, cut)), ...push(decoder, bytes.subarray(cut))];
        assert.deepEqual(summary(events), whole);
        assert.ok(decoder.isBetweenFrames);
      }
      const single = requests();
      assert.deepEqual(summary([...bytes].flatMap((byte) => push(single, Uint8Array.of(byte)))), whole);
    }),
    { numRuns: 60 },
  );
});

test('random bytes give events or an error of HTTP/3, on either kind of stream', () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 5 }), fc.boolean(), (pieces, isControl) => {
      const decoder = isControl ? control() : requests();
      try {
        for (const piece of pieces) push(decoder, piece);
      } catch (thrown) {
        assert.ok(thrown instanceof Http3Error, String(thrown));
      }
    }),
    { numRuns: 2_000 },
  );
});

test('a stream that ends inside a frame is noticed', () => {
  const bytes = frame(frameTypes.HEADERS, new Uint8Array(10));
  for (let end = 1; end < bytes.length; end += 1) {
    const decoder = requests();
    push(decoder, bytes.subarray(0, end));
    assert.equal(decoder.isBetweenFrames, false, `after ${end} bytes`);
  }
});

test('DATA before its end is handed on as it comes, however long it claims to be', () => {
  const decoder = requests();
  push(decoder, frameHead(frameTypes.DATA, Number.MAX_SAFE_INTEGER));
  assert.deepEqual(summary(push(decoder, Uint8Array.of(1, 2, 3))), { frames: [], data: [1, 2, 3] });
});

test('an unknown frame of any length is skipped without being kept', () => {
  const decoder = requests();
  push(decoder, frameHead(0x21, 3_000_000));
  for (let sent = 0; sent < 3_000_000; sent += 30_000) assert.deepEqual(push(decoder, new Uint8Array(30_000)), []);
  assert.ok(decoder.isBetweenFrames);
});

test('an empty DATA frame is seen, so that its place can be checked', () => {
  assert.equal(push(requests(), frame(frameTypes.DATA, new Uint8Array(0))).length, 1);
});

test('a header frame over the limit is refused before it is read', () => {
  throwsH3('H3_EXCESSIVE_LOAD', () => push(requests(), frameHead(frameTypes.HEADERS, limit + 1)));
});

test('frames that say nothing are taken anywhere, but not without end in a row', () => {
  const empty = frame(frameTypes.DATA, new Uint8Array(0));
  const grease = frame(0x21, new Uint8Array(0));
  const some = frame(frameTypes.DATA, Uint8Array.of(1));
  const row = Array.from({ length: netLimits.framesSayingNothingMax }, (_, index) => (index % 2 ? empty : grease));
  const decoder = requests();
  for (let round = 0; round < 3; round += 1) push(decoder, joinBytes([...row, some]));
  push(decoder, joinBytes(row));
  assert.throws(
    () => push(decoder, grease),
    (thrown) => thrown instanceof Http3Error && thrown.h3 === 'H3_EXCESSIVE_LOAD' && thrown.scope === 'connection',
  );
});

test('a frame that comes byte by byte, or is only announced, holds about as much memory as has come', () => {
  const decoder = new FrameDecoder(requestStreamRules('server', 65_536));
  push(decoder, frameHead(frameTypes.HEADERS, 60_000));
  for (let sent = 1; sent < 60_000; sent += 1) assert.deepEqual(push(decoder, Uint8Array.of(sent & 0xff)), []);
  const [event] = push(decoder, Uint8Array.of(0));
  assert.ok(event?.kind === 'frame');
  assert.equal(event.payload.length, 60_000);
  assert.equal(event.payload.buffer.byteLength, 60_000);
  assert.deepEqual([event.payload[0], event.payload[59_998]], [1, 59_999 & 0xff]);
});

test('a promise breaks the rule of the side that reads it', () => {
  for (const [side, code] of [
    ['server', 'H3_FRAME_UNEXPECTED'],
    ['client', 'H3_ID_ERROR'],
  ] as const) {
    const decoder = new FrameDecoder(requestStreamRules(side, limit));
    throwsH3(code, () => push(decoder, frame(frameTypes.PUSH_PROMISE, Uint8Array.of(0))));
  }
});

test('frames of the wrong stream and of HTTP/2 are refused', () => {
  const { SETTINGS, GOAWAY, MAX_PUSH_ID, CANCEL_PUSH, PUSH_PROMISE, DATA, HEADERS } = frameTypes;
  for (const type of [SETTINGS, GOAWAY, MAX_PUSH_ID, CANCEL_PUSH, PUSH_PROMISE, 0x02, 0x06, 0x08, 0x09]) {
    throwsH3('H3_FRAME_UNEXPECTED', () => push(requests(), joinBytes([varint(type), varint(0)])));
  }
  for (const type of [DATA, HEADERS, PUSH_PROMISE, 0x02, 0x06, 0x08, 0x09]) {
    throwsH3('H3_FRAME_UNEXPECTED', () => push(control(), joinBytes([varint(type), varint(0)])));
  }
});

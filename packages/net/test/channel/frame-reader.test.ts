import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { joinBytes } from '../../src/bytes.ts';
import { FrameReader } from '../../src/channel/frame-reader.ts';
import { encodeFrames, frameBytesMax, type Frame } from '../../src/channel/frame.ts';
import { ChannelViolation } from '../../src/channel/violation.ts';

const anyFrame: fc.Arbitrary<Frame> = fc.record({
  type: fc.nat(15),
  flags: fc.nat(15),
  conversation: fc.oneof(fc.nat(), fc.integer({ min: 0, max: 2 ** 40 - 1 })),
  payload: fc.uint8Array({ maxLength: 40 }),
});

const plain = (frames: Iterable<Frame>): unknown =>
  [...frames].map(({ payload, ...head }) => ({ ...head, payload: [...payload] }));

test('frames are the same at every cut of the bytes', () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 5 }), (frames) => {
      const bytes = encodeFrames(frames);
      for (let cut = 0; cut <= bytes.length; cut += 1) {
        const reader = new FrameReader();
        const read = [...reader.push(bytes.subarray(0, cut)), ...reader.push(bytes.subarray(cut))];
        assert.deepEqual(plain(read), plain(frames));
      }
      const single = new FrameReader();
      assert.deepEqual(plain([...bytes].flatMap((byte) => [...single.push(Uint8Array.of(byte))])), plain(frames));
    }),
    { numRuns: 50 },
  );
});

test('random bytes give frames within the limit, or a violation', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (pieces) => {
      const reader = new FrameReader();
      try {
        const read = pieces.flatMap((piece) => [...reader.push(piece)]);
        assert.ok(joinBytes([new Uint8Array(0), ...read.map(({ payload }) => payload)]).length <= 1_500);
      } catch (thrown) {
        assert.ok(thrown instanceof ChannelViolation);
      }
    }),
  );
});

test('the largest payload is read, and one byte more is a violation before it has come', () => {
  const frame = { type: 2, flags: 2, conversation: 1, payload: new Uint8Array(frameBytesMax) };
  assert.equal([...new FrameReader().push(encodeFrames([frame]))][0]?.payload.length, frameBytesMax);
  const head = encodeFrames([{ ...frame, payload: new Uint8Array(frameBytesMax + 1) }]).subarray(0, 8);
  assert.throws(() => [...new FrameReader().push(head)], ChannelViolation);
});

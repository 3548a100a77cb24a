import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { channelPair, converse, echo, rawChannel, hello } from '../fixtures/channels.ts';

/** Lengths around every border: empty, one piece, packed or not, several pieces, more than the first credit. */
const anyMessage = fc
  .tuple(fc.constantFrom(0, 1, 1_023, 1_024, 16_383, 16_384, 16_385, 70_000, 300_000), fc.nat(255), fc.boolean())
  .map(([length, seed, shrinks]) =>
    Uint8Array.from({ length }, (_, index) =>
      shrinks ? seed : (Math.imul(index + seed, 2_654_435_761) >>> 13) ^ (index >> 3),
    ),
  );

const anyCut = fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 5 });

const cutter = (lengths: readonly number[]): ((bytes: Uint8Array) => readonly Uint8Array[]) => {
  let turn = 0;
  return (bytes) => {
    const parts: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = lengths[turn % lengths.length] ?? 1;
      turn += 1;
      parts.push(bytes.subarray(at, at + length));
      at += length;
    }
    return parts;
  };
};

test('any messages in any conversations arrive whole and in order, however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(anyMessage, { maxLength: 4 }), { minLength: 1, maxLength: 6 }),
      anyCut,
      fc.boolean(),
      async (conversations, lengths, waits) => {
        const { client, server } = channelPair(echo, { cut: cutter(lengths) });
        const received = await Promise.all(
          conversations.map(async (messages) => {
            const { conversation, told } = converse(client);
            for (const message of messages) {
              const room = conversation.send(message);
              if (waits) await room;
            }
            conversation.end();
            assert.equal(await told.closed, undefined);
            return told.messages;
          }),
        );
        for (const [index, messages] of conversations.entries()) {
          assert.equal(received[index]?.length, messages.length);
          for (const [at, message] of messages.entries()) {
            assert.ok(Buffer.from(received[index]?.[at] ?? []).equals(message));
          }
        }
        client.end();
        assert.equal(await client.closed, undefined);
        assert.equal(await server.closed, undefined);
      },
    ),
    { numRuns: 40 },
  );
});

test('random bytes, after a hello or without one, end the channel at most: nothing is thrown and nothing hangs', async () => {
  const anyBytes = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      // Something like a frame: type and flags, a short length, a low number.
      fc
        .tuple(fc.nat(255), fc.uint8Array({ maxLength: 60 }), fc.nat(4))
        .map(([first, payload, number]) => Uint8Array.of(first, 0, payload.length, 0, 0, 0, 0, number, ...payload)),
    ),
    { maxLength: 30 },
  );
  await fc.assert(
    fc.asyncProperty(anyBytes, fc.boolean(), async (pieces, isGreeted) => {
      const raw = rawChannel(echo);
      raw.readAll();
      if (isGreeted) await raw.say(hello);
      for (const piece of pieces) await raw.sayBytes(piece);
      raw.channel.close();
      await raw.channel.closed;
      assert.equal(raw.channel.conversations, 0);
    }),
    { numRuns: 300 },
  );
});

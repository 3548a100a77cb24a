import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { mvmError, MvmError } from '@mvm-ci/protocol';
import { channelLimits, netLimits, openFrameChannel, systemClock } from '../../src/index.ts';
import {
  controlFrame,
  encodeFrames,
  frameHeadBytes,
  frameTypes,
  helloPayload,
  readHello,
} from '../../src/channel/frame.ts';
import { channelPair, converse, duplexPair, echo, hello, listen } from '../fixtures/channels.ts';
import { FakeClock } from '../fixtures/fake-clock.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const textOf = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
/** Bytes that do not shrink. */
const noise = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

describe('a frame channel', () => {
  it('carries messages both ways, in order, and ends a conversation when both sides have', async () => {
    const { client } = channelPair(echo);
    const { conversation, told } = converse(client);
    for (let index = 0; index < 100; index += 1) void conversation.send(text(`message ${index}`));
    conversation.end();
    assert.equal(await told.closed, undefined);
    assert.deepEqual(
      told.messages.map(textOf),
      Array.from({ length: 100 }, (_, index) => `message ${index}`),
    );
    assert.equal(client.conversations, 0);
    client.close();
  });

  it('lets both sides open conversations', async () => {
    const [one, other] = duplexPair();
    const base = { clock: systemClock, accept: echo };
    const client = openFrameChannel({ ...base, duplex: one, side: 'client' });
    const server = openFrameChannel({ ...base, duplex: other, side: 'server' });
    for (const channel of [client, server, client]) {
      const { conversation, told } = converse(channel);
      void conversation.send(text('hello'));
      conversation.end();
      assert.equal(await told.closed, undefined);
      assert.equal(textOf(told.messages[0]), 'hello');
    }
    client.close();
  });

  it('carries empty messages, and conversations without any', async () => {
    const { client } = channelPair(echo);
    const [empty, silent] = [converse(client), converse(client)];
    void empty.conversation.send(new Uint8Array(0));
    empty.conversation.end();
    silent.conversation.end();
    assert.equal(await empty.told.closed, undefined);
    assert.deepEqual(empty.told.messages, [new Uint8Array(0)]);
    assert.equal(await silent.told.closed, undefined);
    assert.deepEqual(silent.told.messages, []);
    client.close();
  });

  it('carries messages of 16 MiB, those that shrink and those that do not', async () => {
    const { client } = channelPair(echo);
    for (const message of [new Uint8Array(Buffer.alloc(16_777_216, 'a line of text\n')), noise(16_777_216)]) {
      const { conversation, told } = converse(client);
      await conversation.send(message);
      conversation.end();
      assert.equal(await told.closed, undefined);
      assert.ok(Buffer.from(told.messages[0] ?? []).equals(message));
    }
    client.close();
  });

  it('sends what is queued in one turn in one write, and no write over 32 KiB', async () => {
    const [one, other] = duplexPair();
    const writes: number[] = [];
    const counted = {
      ...one,
      write: async (bytes: Uint8Array): Promise<void> => {
        writes.push(bytes.length);
        await one.write(bytes);
      },
    };
    const client = openFrameChannel({ clock: systemClock, duplex: counted, side: 'client' });
    openFrameChannel({ clock: systemClock, duplex: other, side: 'server', accept: echo });
    const { conversation, told } = converse(client);
    void conversation.send(text('first'));
    await told.first;
    writes.length = 0;
    const many = Array.from({ length: 50 }, () => converse(client));
    for (const each of many) {
      void each.conversation.send(text('small'));
      each.conversation.end();
    }
    await Promise.all(many.map(async (each) => each.told.closed));
    assert.equal(writes.length, 1);
    const long = converse(client);
    await long.conversation.send(noise(500_000));
    long.conversation.end();
    await long.told.closed;
    assert.ok(writes.every((length) => length <= netLimits.joinedWriteBytesMax));
    client.close();
  });

  it('sends a small message between the pieces of a long one', async () => {
    const { client } = channelPair(echo);
    const [long, small] = [converse(client), converse(client)];
    void long.conversation.send(noise(4_000_000));
    void small.conversation.send(text('heartbeat'));
    await small.told.first;
    assert.equal(long.told.messages.length, 0);
    client.close();
  });

  it('lets a slow reader stop its own conversation and no other', async () => {
    const gate = Promise.withResolvers<void>();
    const { client } = channelPair((conversation) => ({
      onMessage: async (message) => {
        if (textOf(message) !== 'quick') await gate.promise;
        void conversation.send(message.slice(0, 5));
      },
      onEnd: () => conversation.end(),
      onClosed: () => undefined,
    }));
    const [slow, quick] = [converse(client), converse(client)];
    const message = noise(100_000);
    let waits: Promise<void> | undefined;
    for (let index = 0; index < 20; index += 1) waits = slow.conversation.send(message);
    assert.ok(waits, 'who sends much is asked to wait');
    slow.conversation.end();
    void quick.conversation.send(text('quick'));
    await quick.told.first;
    gate.resolve();
    await waits;
    assert.equal(await slow.told.closed, undefined);
    assert.equal(slow.told.messages.length, 20);
    client.close();
  });

  it('tells the other side why a conversation was closed, and CANCELLED without a reason', async () => {
    const reasons = [mvmError('STALE_LEASE', 'the lease is over', { job: 'a' }), undefined];
    const { client } = channelPair((conversation) => ({
      onMessage: () => conversation.close(reasons.shift()),
      onEnd: () => undefined,
      onClosed: () => undefined,
    }));
    const stale = converse(client);
    void stale.conversation.send(text('x'));
    const error = await stale.told.closed;
    assert.equal(error?.code, 'STALE_LEASE');
    assert.deepEqual(error.details, { job: 'a' });
    const cancelled = converse(client);
    void cancelled.conversation.send(text('x'));
    assert.equal((await cancelled.told.closed)?.code, 'CANCELLED');
    client.close();
  });

  it('closes a conversation whose owner throws or rejects, with what was thrown', async () => {
    const { client } = channelPair(() => ({
      onMessage: (message) => {
        const error = mvmError('QUEUE_FULL', 'no room');
        if (textOf(message) === 'throw') throw error;
        return Promise.reject(error);
      },
      onEnd: () => undefined,
      onClosed: () => undefined,
    }));
    for (const message of ['throw', 'reject']) {
      const { conversation, told } = converse(client);
      void conversation.send(text(message));
      assert.equal((await told.closed)?.code, 'QUEUE_FULL');
    }
    client.close();
  });

  it('refuses a message over the limit by closing its conversation, and nothing else', async () => {
    const { client } = channelPair(echo, { limits: { messageBytesMax: 10_000 } });
    const { conversation, told } = converse(client);
    void conversation.send(noise(10_001));
    assert.equal((await told.closed)?.code, 'PAYLOAD_TOO_LARGE');
    const next = converse(client);
    void next.conversation.send(noise(10_000));
    assert.equal((await next.told.first).length, 10_000);
    client.close();
  });

  it('refuses more than may be queued', async () => {
    const { client } = channelPair(echo, { limits: { queuedBytesMax: 1_000_000 } });
    const all = Array.from({ length: 4 }, () => converse(client));
    for (const { conversation } of all) void conversation.send(noise(400_000));
    assert.equal((await all[2]?.told.closed)?.code, 'UNAVAILABLE');
    assert.equal((await all[0]?.told.first)?.length, 400_000);
    client.close();
  });

  it('opens no more conversations than the other side allows: the rest wait for their turn', async () => {
    let open = 0;
    let most = 0;
    const { client } = channelPair(
      (conversation) => ({
        onMessage: async (message) => {
          most = Math.max(most, (open += 1));
          await systemClock.nextTurn();
          open -= 1;
          void conversation.send(message);
        },
        onEnd: () => conversation.end(),
        onClosed: () => undefined,
      }),
      { limits: { conversationsMax: 3, waitingMax: 100 } },
    );
    const all = Array.from({ length: 100 }, () => converse(client));
    const tooMany = converse(client);
    for (const { conversation } of all) {
      void conversation.send(text('x'));
      conversation.end();
    }
    assert.equal((await tooMany.told.closed)?.code, 'UNAVAILABLE');
    for (const { told } of all) assert.equal(await told.closed, undefined);
    assert.equal(most, 3);
    client.close();
  });

  it('ends when it is asked to and all conversations have, and refuses new ones from then on', async () => {
    const { client, server } = channelPair(echo);
    const { conversation, told } = converse(client);
    void conversation.send(text('one'));
    await told.first;
    server.end();
    void conversation.send(text('two'));
    const other = converse(client);
    void other.conversation.send(text('crosses the end on its way'));
    assert.equal((await other.told.closed)?.code, 'UNAVAILABLE');
    assert.ok(client.isDraining);
    const late = converse(client);
    assert.equal((await late.told.closed)?.code, 'UNAVAILABLE');
    conversation.end();
    assert.equal(await told.closed, undefined);
    assert.deepEqual(told.messages.map(textOf), ['one', 'two']);
    assert.equal(await server.closed, undefined);
    assert.equal(await client.closed, undefined);
  });

  it('ends everything when it is closed, and the other side learns why', async () => {
    const { client, server } = channelPair(echo);
    const { conversation, told } = converse(client);
    void conversation.send(text('x'));
    await told.first;
    server.close(mvmError('FORBIDDEN', 'this node was banned'));
    assert.equal((await told.closed)?.code, 'CONNECTION_LOST');
    assert.match((await client.closed)?.message ?? '', /this node was banned/);
    assert.equal((await server.closed)?.code, 'FORBIDDEN');
    assert.equal((await converse(client).told.closed)?.code, 'CONNECTION_LOST');
  });

  it('is lost when the bytes end without a word', async () => {
    const [one, other] = duplexPair();
    const client = openFrameChannel({ clock: systemClock, duplex: one, side: 'client' });
    const { told } = converse(client);
    other.close();
    assert.equal((await client.closed)?.code, 'CONNECTION_LOST');
    assert.equal((await told.closed)?.code, 'CONNECTION_LOST');
  });

  it('speaks when it has been silent, and is lost when the other side is', async () => {
    const clock = new FakeClock();
    const [one, other] = duplexPair();
    const client = openFrameChannel({ clock, duplex: one, side: 'client' });
    const heard = other.readable.getReader();
    await other.write(encodeFrames([hello]));
    assert.deepEqual((await heard.read()).value?.at(0), 0x10);
    for (let spoken = 0; spoken < 3; spoken += 1) {
      const next = heard.read();
      clock.advance(channelLimits.pingMs);
      assert.deepEqual((await next).value, encodeFrames([controlFrame(frameTypes.PING)]));
      await other.write(encodeFrames([controlFrame(frameTypes.PING)]));
    }
    const { told } = converse(client);
    clock.advance(channelLimits.silenceMs);
    assert.equal((await told.closed)?.code, 'CONNECTION_LOST');
    assert.match((await client.closed)?.message ?? '', /silent/);
    assert.equal(clock.pendingTimers, 0);
  });

  it('speaks sooner when the other side bears less silence, said or not, and says how much it bears itself', async () => {
    const untold = { version: 1, conversationsMax: 8, messageBytesMax: 1_000 };
    const limits = { pingMs: 60_000, silenceMs: 90_000, silenceUnsaidMs: 30_000 };
    for (const [theirs, pingMs] of [
      [untold, 22_500],
      [{ ...untold, silenceMs: 20_000 }, 15_000],
      [{ ...untold, silenceMs: 90_000 }, 60_000],
    ] as const) {
      const clock = new FakeClock();
      const [one, other] = duplexPair();
      const client = openFrameChannel({ clock, duplex: one, side: 'client', limits });
      const heard = other.readable.getReader();
      const { value: said = new Uint8Array() } = await heard.read();
      assert.equal(readHello(said.subarray(frameHeadBytes))?.silenceMs, limits.silenceMs);
      void converse(client).conversation.send(text('said once HELLO has come'));
      await other.write(encodeFrames([controlFrame(frameTypes.HELLO, 0, helloPayload(theirs))]));
      await heard.read();
      const next = heard.read();
      let isSpoken = false;
      void next.then(() => (isSpoken = true));
      clock.advance(pingMs - 1);
      await clock.nextTurn();
      assert.equal(isSpoken, false);
      clock.advance(1);
      assert.deepEqual((await next).value, encodeFrames([controlFrame(frameTypes.PING)]));
      client.close();
    }
  });

  it('never calls its owner from within a call of the owner', async () => {
    const { client } = channelPair(echo);
    let isInside = true;
    const { events, told } = listen();
    const conversation = client.open({
      ...events,
      onClosed: (error) => {
        assert.equal(isInside, false);
        events.onClosed(error);
      },
    });
    conversation.close();
    isInside = false;
    const error = await told.closed;
    assert.ok(error instanceof MvmError);
    assert.equal(error.code, 'CANCELLED');
    client.close();
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import type { AcceptConversation } from '@mvm-ci/protocol';
import { joinBytes } from '../../src/bytes.ts';
import { FrameReader } from '../../src/channel/frame-reader.ts';
import {
  controlFrame,
  dataFlags,
  frameBytesMax,
  frameTypes,
  initialCredit,
  uint32,
  type Frame,
} from '../../src/channel/frame.ts';
import { channelLimits, systemClock } from '../../src/index.ts';
import { channelPair, converse, echo, hello, listen, rawChannel, type RawChannel } from '../fixtures/channels.ts';

const { OPEN, LAST, PACKED, END } = dataFlags;

const data = (conversation: number, flags: number, payload: Uint8Array = new Uint8Array(0)): Frame => ({
  type: frameTypes.DATA,
  flags,
  conversation,
  payload,
});
const byte = Uint8Array.of(1);
const never = new Promise<void>(() => undefined);

/** Takes a message and never finishes with it. */
const stuck: AcceptConversation = () => ({
  onMessage: async () => never,
  onEnd: () => undefined,
  onClosed: () => undefined,
});

const heardFrames = (raw: RawChannel): readonly Frame[] => [...new FrameReader().push(raw.heard())];

/** The channel ends with the rule in its reason, and the other side is told. */
const endsWith = async (raw: RawChannel, rule: RegExp): Promise<void> => {
  const error = await raw.channel.closed;
  assert.equal(error?.code, 'CONNECTION_LOST');
  assert.match(error.message, rule);
  assert.equal(raw.channel.conversations, 0);
};

const breaks = async (rule: RegExp, ...frames: readonly Frame[]): Promise<void> => {
  const raw = rawChannel(echo);
  raw.readAll();
  await raw.say(...frames);
  await endsWith(raw, rule);
};

const packed = (length: number, content: Uint8Array): Uint8Array =>
  joinBytes([uint32(length), new Uint8Array(zstdCompressSync(content))]);

describe('a side that breaks the rules ends the channel', () => {
  it('when it does not begin with a hello, or with a damaged one', async () => {
    await breaks(/begins with HELLO/, data(1, OPEN | LAST, byte));
    await breaks(/begins with HELLO/, controlFrame(frameTypes.HELLO, 0, byte));
  });

  it('when it sends a type that nobody knows and that is not to be ignored', async () => {
    await breaks(/type 7/, hello, controlFrame(7));
    await breaks(/type 1/, hello, hello);
  });

  it('when a conversation is opened twice, out of turn, or with our number', async () => {
    await breaks(/opened twice/, hello, data(1, OPEN | LAST, byte), data(1, OPEN | LAST, byte));
    await breaks(/opened after 5/, hello, data(5, OPEN | LAST, byte), data(3, OPEN | LAST, byte));
    await breaks(/opened after 0/, hello, data(2, OPEN | LAST, byte));
    await breaks(/opened after 0/, hello, data(0, OPEN | LAST, byte));
  });

  it('when a frame is for a conversation that was never opened', async () => {
    await breaks(/never opened/, hello, data(1, LAST, byte));
    await breaks(/never opened/, hello, data(2, LAST, byte));
    await breaks(/never opened/, hello, controlFrame(frameTypes.CREDIT, 9, uint32(1)));
    await breaks(/never opened/, hello, controlFrame(frameTypes.CLOSE, 9));
  });

  it('when it sends more than its credit', async () => {
    const raw = rawChannel(stuck);
    raw.readAll();
    await raw.say(hello, data(1, OPEN | LAST, byte));
    const pieces = Math.ceil(initialCredit / frameBytesMax);
    for (let sent = 0; sent < pieces; sent += 1) await raw.say(data(1, LAST, new Uint8Array(frameBytesMax)));
    await endsWith(raw, /with a credit of/);
  });

  it('when it sends many tiny messages that nobody reads', async () => {
    const raw = rawChannel(stuck);
    raw.readAll();
    await raw.say(hello, data(1, OPEN | LAST, byte));
    await raw.say(...Array.from({ length: 1_024 }, () => data(1, LAST)));
    await endsWith(raw, /with a credit of/);
  });

  it('when pieces are empty, come after the end, or the end comes inside a message', async () => {
    await breaks(/empty/, hello, data(1, OPEN));
    await breaks(/inside a message/, hello, data(1, OPEN | END, byte));
    const raw = rawChannel(stuck);
    raw.readAll();
    await raw.say(hello, data(1, OPEN | LAST | END, byte), data(1, LAST, byte));
    await endsWith(raw, /after the end/);
  });

  it('when a message is too long, as it comes or once it is unpacked', async () => {
    const limits = { messageBytesMax: 20_000 };
    const long = rawChannel(echo, { limits });
    long.readAll();
    const piece = new Uint8Array(frameBytesMax);
    await long.say(hello, data(1, OPEN, piece), data(1, 0, piece));
    await endsWith(long, /at most 20000 bytes/);
    const bomb = rawChannel(echo, { limits });
    bomb.readAll();
    await bomb.say(hello, data(1, OPEN | LAST | PACKED, packed(1_000_000_000, new Uint8Array(1))));
    await endsWith(bomb, /at most 20000 bytes/);
  });

  it('when a packed message holds more or less than it says, or is damaged', async () => {
    const zeros = new Uint8Array(100_000);
    for (const length of [10, 99_999, 100_001]) {
      await breaks(/can't be unpacked/, hello, data(1, OPEN | LAST | PACKED, packed(length, zeros)));
    }
    await breaks(/can't be unpacked/, hello, data(1, OPEN | LAST | PACKED, joinBytes([uint32(1_000), byte])));
    await breaks(/4 bytes/, hello, data(1, OPEN | LAST | PACKED, byte));
  });

  it('when it opens 10,000 conversations that it may not', async () => {
    const raw = rawChannel(stuck);
    raw.readAll();
    const opens = Array.from({ length: 10_000 }, (_, index) => data(index * 2 + 1, OPEN | LAST, byte));
    await raw.say(hello, ...opens);
    await endsWith(raw, new RegExp(`more than ${channelLimits.conversationsMax}`));
  });

  it('when it makes us answer and does not read', async () => {
    const raw = rawChannel(() => {
      throw new Error('nobody is taken');
    });
    await raw.say(hello);
    for (let index = 0; index <= channelLimits.controlFramesMax + 1_000; index += 1) {
      await raw.say(data(index * 2 + 1, OPEN | LAST, byte));
    }
    await endsWith(raw, /does not read/);
  });

  it('when the credit that it gives is absurd', async () => {
    const raw = rawChannel(stuck);
    raw.readAll();
    await raw.say(hello, data(1, OPEN | LAST, byte));
    const credits = Array.from({ length: 300 }, () => controlFrame(frameTypes.CREDIT, 1, uint32(0xffff_ffff)));
    await raw.say(...credits);
    await endsWith(raw, /credit beyond/);
  });
});

describe('a channel goes on', () => {
  it('when frames come that may be ignored, with any flags and numbers', async () => {
    const raw = rawChannel(echo);
    raw.readAll();
    const unknown = [8, 12, 15].map((type) => ({ type, flags: 15, conversation: 77, payload: byte }));
    await raw.say(hello, ...unknown, data(1, OPEN | LAST | END, byte), ...unknown);
    const { events, told } = listen();
    void raw.channel.open(events).send(byte);
    while (!heardFrames(raw).some(({ conversation }) => conversation === 2)) await systemClock.nextTurn();
    await raw.say(data(2, LAST | END, byte));
    await told.ended;
    raw.channel.close();
  });

  it('when frames come late for a conversation that is over, and when END or CLOSE come twice', async () => {
    const raw = rawChannel((conversation) => ({
      onMessage: () => conversation.close(),
      onEnd: () => undefined,
      onClosed: () => undefined,
    }));
    raw.readAll();
    const close = controlFrame(frameTypes.CLOSE, 1);
    const credit = controlFrame(frameTypes.CREDIT, 1, uint32(5));
    await raw.say(hello, data(1, OPEN | LAST, byte), data(1, END), data(1, END), credit, close, close);
    await raw.say(data(3, OPEN | LAST, byte));
    while (raw.channel.conversations > 0) await systemClock.nextTurn();
    assert.equal(raw.channel.isDraining, false);
    raw.channel.close();
    assert.equal(await raw.channel.closed, undefined);
  });

  it('holds no more than its budget and one message, however many long messages come at once', async () => {
    const limits = { bufferedBytesMax: 200_000, messageBytesMax: 1_000_000 };
    const raw = rawChannel(stuck, { limits });
    raw.readAll();
    const conversations = 20;
    await raw.say(hello);
    // Each begins a long message and uses up its first credit.
    const piece = new Uint8Array(frameBytesMax);
    for (let index = 0; index < conversations; index += 1) {
      const number = index * 2 + 1;
      await raw.say(data(number, OPEN, piece), data(number, 0, piece), data(number, 0, piece));
    }
    const credited = (): number => {
      const frames = heardFrames(raw);
      return new Set(frames.filter(({ type }) => type === frameTypes.CREDIT).map(({ conversation }) => conversation))
        .size;
    };
    await systemClock.nextTurn();
    assert.ok(credited() < conversations, `${credited()} of ${conversations} got more credit`);
    assert.ok(credited() > 0);
    assert.equal(raw.channel.isDraining, false);
    raw.channel.close();
    await raw.channel.closed;
  });

  it('lets every long message through in the end, also when they are larger than the budget together', async () => {
    const limits = { bufferedBytesMax: 100_000, messageBytesMax: 1_000_000 };
    const { client } = channelPair(echo, { limits });
    const all = Array.from({ length: 12 }, () => converse(client));
    for (const [index, { conversation }] of all.entries()) {
      const message = Uint8Array.from({ length: 400_000 }, (_, at) => Math.imul(at + index, 2_654_435_761) >>> 13);
      void conversation.send(message);
      void conversation.send(new Uint8Array(400_000));
      conversation.end();
    }
    for (const { told } of all) assert.equal(await told.closed, undefined);
    client.close();
  });

  it('when a packed message is what it says', async () => {
    const raw = rawChannel(echo);
    raw.readAll();
    const content = new TextEncoder().encode('text '.repeat(1_000));
    await raw.say(hello, data(1, OPEN | LAST | PACKED | END, packed(content.length, content)));
    while (raw.channel.conversations > 0) await systemClock.nextTurn();
    assert.equal(raw.channel.isDraining, false);
    raw.channel.close();
  });
});

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { AcceptConversation } from '@mvm-ci/protocol';
import { openFrameChannel, outgoingBody, systemClock, type FrameChannel } from '../../src/index.ts';
import { converse, echo } from '../fixtures/channels.ts';
import { openPair, type Pair } from '../fixtures/peers.ts';

interface Carried extends AsyncDisposable {
  readonly pair: Pair;
  readonly client: FrameChannel;
  readonly server: Promise<FrameChannel>;
}

/** A channel in the two bodies of one request over iroh. */
const carry = async (accept: AcceptConversation): Promise<Carried> => {
  const server = Promise.withResolvers<FrameChannel>();
  const pair = await openPair({
    handler: (request) => {
      const outgoing = outgoingBody();
      const duplex = outgoing.with(request.body ?? new ReadableStream());
      server.resolve(openFrameChannel({ duplex, side: 'server', clock: systemClock, accept }));
      return new Response(outgoing.body);
    },
  });
  const outgoing = outgoingBody();
  const response = await pair.client.fetch('/', { method: 'POST', body: outgoing.body, bodyIdleMs: Infinity });
  const duplex = outgoing.with(response.body ?? new ReadableStream());
  const client = openFrameChannel({ duplex, side: 'client', clock: systemClock });
  return { pair, client, server: server.promise, [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose]() };
};

test('small and long messages come through the bodies of one request over iroh', async () => {
  await using carried = await carry(echo);
  const messages = [randomBytes(10), randomBytes(400_000), Buffer.alloc(2_000_000, 'text'), Buffer.alloc(0)];
  const all = messages.map((message) => ({ message, ...converse(carried.client) }));
  for (const { conversation, message } of all) {
    void conversation.send(message);
    conversation.end();
  }
  for (const { told, message } of all) {
    assert.equal(await told.closed, undefined);
    assert.ok(message.equals(told.messages[0] ?? Buffer.from('nothing')));
  }
});

test('a channel that has ended leaves the connection to others', async () => {
  await using carried = await carry(echo);
  carried.client.end();
  assert.equal(await carried.client.closed, undefined);
  assert.equal(await (await carried.server).closed, undefined);
  assert.equal(carried.pair.client.isDraining, false);
});

test('conversations are lost when the peer goes', async () => {
  await using carried = await carry(echo);
  const { conversation, told } = converse(carried.client);
  void conversation.send(Uint8Array.of(1));
  await told.first;
  await carried.pair.serverEndpoint.close();
  assert.equal((await told.closed)?.code, 'CONNECTION_LOST');
  assert.equal((await (await carried.server).closed)?.code, 'CONNECTION_LOST');
});

import { openFrameChannel, outgoingBody, systemClock, type FrameChannel } from '@mvm-ci/net';
import {
  decodeCallAnswer,
  encodeCall,
  peerProtocol,
  unpack,
  type CallRequest,
  type Conversation,
  type MvmError,
} from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { controlLimits } from '../../src/limits.ts';
import { systemRandom } from '../../src/system-random.ts';
import { firstBatch, operator, peer, TestPlane } from './test-plane.ts';

interface Stream {
  readonly channel: FrameChannel;
  /** Breaks the connection off. */
  lose(): void;
}

interface Answered {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- the tests look into answers of every shape
  readonly body: any;
  /** Messages that the answer came in. */
  readonly messages: number;
}

const node = 'w1';

const openStream = async (plane: TestPlane, caller = peer(node)): Promise<Stream | Response> => {
  const outgoing = outgoingBody();
  const init = { method: 'POST', body: outgoing.body, duplex: 'half' } as const;
  const response = await plane.api.fetch(new Request('http://test/peer/stream', init), caller);
  if (!response.ok || !response.body) return response;
  const duplex = outgoing.with(response.body);
  const lose = (): void => duplex.close(new Error('the connection is gone'));
  return { channel: openFrameChannel({ duplex, side: 'client', clock: systemClock }), lose };
};

const joined = async (): Promise<{ plane: TestPlane; stream: Stream }> => {
  const plane = await TestPlane.open();
  await plane.deploy();
  const token = 'a-token';
  await plane.core.tickets.keepOwn(token);
  const body = { protocol: peerProtocol, incarnation: 'i1', token };
  assert.equal((await plane.packed('/peer/join', body, peer(node))).status, 200);
  const stream = await openStream(plane);
  assert.ok(!(stream instanceof Response));
  return { plane, stream };
};

interface Asked {
  readonly conversation: Conversation;
  readonly answer: Promise<Answered>;
  readonly closed: Promise<MvmError | undefined>;
}

const askBytes = (channel: FrameChannel, ...requests: readonly Uint8Array[]): Asked => {
  const messages: Uint8Array[] = [];
  const closed = Promise.withResolvers<MvmError | undefined>();
  const conversation = channel.open({
    onMessage: (message) => void messages.push(message),
    onEnd: () => undefined,
    onClosed: (error) => closed.resolve(error),
  });
  for (const request of requests) void conversation.send(request);
  conversation.end();
  const read = async (): Promise<Answered> => {
    const error = await closed.promise;
    if (error) throw error;
    const [first, ...rest] = messages;
    const { status, body, follows } = decodeCallAnswer(first ?? new Uint8Array(0));
    const bytes = new Uint8Array(Buffer.concat(rest));
    const whole = follows === 'application/msgpack' ? unpack(bytes) : follows === undefined ? body : bytes;
    return { status, body: whole, messages: messages.length };
  };
  const answer = read();
  answer.catch(() => undefined);
  return { conversation, answer, closed: closed.promise };
};

const ask = (channel: FrameChannel, request: CallRequest): Asked => askBytes(channel, encodeCall(request));
const claim = (waitMs = 0): CallRequest => ({
  method: 'POST',
  route: 'claim',
  body: { incarnation: 'i1', capacity: 1, waitMs },
});

const publish = (plane: TestPlane, id: string): Promise<unknown> =>
  plane.call('POST', '/queue/publish', { body: { job_id: id, workflow: 'crawler', input: null } });

describe('a peer stream', () => {
  it('serves the same operations as the routes: claim, append, journal, finish, heartbeat, module', async () => {
    const { plane, stream } = await joined();
    await using _ = plane;
    const { channel } = stream;
    await publish(plane, 'a');
    const claimed = await ask(channel, claim()).answer;
    assert.equal(claimed.status, 200);
    const [job] = claimed.body.jobs;
    assert.equal(job.job, 'a');
    const lease = { job: 'a', epoch: job.epoch };
    const batch = firstBatch('a', [{ kind: 'intents', intents: [] }]);
    const appends = [{ ...lease, attempt: 1, ...batch }];
    assert.deepEqual((await ask(channel, { method: 'POST', route: 'append', body: { appends } }).answer).body, {
      results: [{ ok: true }],
    });
    const search = { epoch: job.epoch };
    const journal = await ask(channel, { method: 'GET', route: 'peerJournal', parameter: 'a', search }).answer;
    assert.deepEqual(new Uint8Array(journal.body.batches[0].bytes), batch.bytes);
    const held = { incarnation: 'i1', held: [lease] };
    const beat = await ask(channel, { method: 'POST', route: 'heartbeat', body: held }).answer;
    assert.deepEqual(beat.body.lost, []);
    const finishes = [{ ...lease, attempt: 1, outcome: { type: 'completed', result: '1' } }];
    assert.deepEqual((await ask(channel, { method: 'POST', route: 'finish', body: { finishes } }).answer).body, {
      results: [{ ok: true }],
    });
    const file = await ask(channel, { method: 'GET', route: 'peerModule', parameter: job.module }).answer;
    assert.ok(file.body.length > 0);
    channel.close();
  });

  it('refuses with the status and the error of the route', async () => {
    const { plane, stream } = await joined();
    await using _ = plane;
    const { channel } = stream;
    const refusals: readonly (readonly [CallRequest, number, string])[] = [
      [{ method: 'POST', route: 'publish', body: {} }, 403, 'FORBIDDEN'],
      [{ method: 'POST', route: 'claim', body: { capacity: 'many' } }, 400, 'INVALID_ARGUMENT'],
      [{ method: 'GET', route: 'peerJournal', parameter: 'a', search: { epoch: 1 } }, 409, 'STALE_LEASE'],
      [{ method: 'GET', route: 'peerModule', parameter: 'none' }, 404, 'MODULE_NOT_FOUND'],
      [{ method: 'GET', route: 'claim' }, 404, 'ROUTE_NOT_FOUND'],
      [{ method: 'POST', route: 'peerStream' }, 404, 'ROUTE_NOT_FOUND'],
    ];
    for (const [request, status, code] of refusals) {
      const answer = await ask(channel, request).answer;
      assert.deepEqual([answer.status, answer.body.error.code], [status, code]);
    }
    channel.close();
  });

  it('answers a call that is none with what is wrong, and goes on', async () => {
    const { plane, stream } = await joined();
    await using _ = plane;
    const { channel } = stream;
    assert.equal((await askBytes(channel, Uint8Array.of(0x92, 0x01)).answer).body.error.code, 'INVALID_JSON');
    assert.equal((await askBytes(channel, Uint8Array.of(0x01)).answer).body.error.code, 'INVALID_ARGUMENT');
    const two = encodeCall(claim(1_000));
    assert.equal((await askBytes(channel, two, two).closed)?.code, 'INVALID_ARGUMENT');
    assert.equal(await askBytes(channel).closed, undefined);
    assert.equal((await ask(channel, claim()).answer).status, 200);
    channel.close();
  });

  it('is for members alone, and not for the operator', async () => {
    const { plane, stream } = await joined();
    await using _ = plane;
    for (const [caller, code] of [
      [peer('stranger'), 'NOT_JOINED'],
      [operator, 'FORBIDDEN'],
    ] as const) {
      const response = await openStream(plane, caller);
      assert.ok(response instanceof Response);
      assert.match(await response.text(), new RegExp(code));
    }
    stream.channel.close();
  });

  it('gives a claim up whose conversation is closed, or whose connection is lost: its job goes to another', async () => {
    const { plane, stream } = await joined();
    await using _ = plane;
    const waiting = ask(stream.channel, claim(60_000));
    while (plane.core.claims.length < 1) await systemClock.nextTurn();
    waiting.conversation.close();
    while (plane.core.claims.length > 0) await systemClock.nextTurn();
    ask(stream.channel, claim(60_000));
    while (plane.core.claims.length < 1) await systemClock.nextTurn();
    stream.lose();
    while (plane.core.claims.length > 0) await systemClock.nextTurn();
    await publish(plane, 'a');
    const body = { worker: 'w2', incarnation: 'i2', capacity: 1 };
    assert.equal((await plane.call('POST', '/peer/claim', { body })).body.jobs.length, 1);
  });

  it('hears nothing more of a node that is banned', async () => {
    const { plane, stream } = await joined();
    await using _ = plane;
    assert.equal((await ask(stream.channel, claim()).answer).status, 200);
    await plane.core.nodes.ban(node, 'a test');
    assert.equal((await ask(stream.channel, claim()).answer).body.error.code, 'FORBIDDEN');
    stream.channel.close();
  });

  it('sends a long journal in several messages', async () => {
    const { plane, stream } = await joined();
    await using _ = plane;
    await publish(plane, 'a');
    const [job] = (await ask(stream.channel, claim()).answer).body.jobs;
    const noise = systemRandom.bytes(3 * controlLimits.callPieceBytes).toHex();
    const batch = firstBatch('a', [{ kind: 'completed', at: 1, result: noise }]);
    const appends = [{ job: 'a', epoch: job.epoch, attempt: 1, ...batch }];
    const appended = await ask(stream.channel, { method: 'POST', route: 'append', body: { appends } }).answer;
    assert.deepEqual(appended.body, { results: [{ ok: true }] });
    const search = { epoch: job.epoch };
    const journal = await ask(stream.channel, { method: 'GET', route: 'peerJournal', parameter: 'a', search }).answer;
    assert.ok(Buffer.from(journal.body.batches[0].bytes).equals(batch.bytes));
    assert.ok(journal.messages > 3);
    stream.channel.close();
  });

  it('ends with the control plane, after the calls that are open', async () => {
    const { plane, stream } = await joined();
    await using _ = plane;
    const waiting = ask(stream.channel, claim(60_000));
    while (plane.core.claims.length < 1) await systemClock.nextTurn();
    plane.core.endWaits();
    assert.deepEqual((await waiting.answer).body.jobs, []);
    assert.equal(await stream.channel.closed, undefined);
    const refused = await openStream(plane);
    assert.ok(refused instanceof Response);
    assert.equal(refused.status, 503);
  });

  it('may be open a few times for each node', async () => {
    const { plane, stream } = await joined();
    await using _ = plane;
    const more = await Promise.all(Array.from({ length: controlLimits.peerStreamsMax - 1 }, () => openStream(plane)));
    const refused = await openStream(plane);
    assert.ok(refused instanceof Response);
    assert.equal(refused.status, 503);
    for (const each of [stream, ...more]) {
      assert.ok(!(each instanceof Response));
      each.channel.close();
      await each.channel.closed;
    }
    const next = await openStream(plane);
    assert.ok(!(next instanceof Response));
    next.channel.close();
  });
});

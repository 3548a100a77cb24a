import { openFrameChannel, outgoingBody, systemClock, type FrameChannel } from '@mvm-ci/net';
import {
  blake3,
  decodeCall,
  encodeCallAnswer,
  mvmError,
  type AcceptConversation,
  type CallRequest,
  type MvmError,
} from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CallStream } from '../src/call-stream.ts';
import type { Peer } from '../src/peer-control-plane.ts';
import { FakeClock } from './fixtures/fake-clock.ts';

const signal = new AbortController().signal;
const idle: CallRequest = { method: 'POST', route: 'heartbeat', body: { held: [] } };

/** A control plane that serves streams with `accept`, and remembers them. */
class StreamPeer implements Peer {
  readonly servers: FrameChannel[] = [];
  refusal: MvmError | undefined;
  opened = 0;
  reconnected = 0;
  readonly #accept: AcceptConversation;

  constructor(accept: AcceptConversation) {
    this.#accept = accept;
  }

  fetch(): Promise<Response> {
    return Promise.reject(new Error('no plain requests here'));
  }

  async openChannel(): Promise<FrameChannel> {
    this.opened += 1;
    if (this.refusal) throw this.refusal;
    const [one, other] = [outgoingBody(), outgoingBody()];
    const accept = this.#accept;
    const base = { clock: systemClock };
    this.servers.push(openFrameChannel({ ...base, duplex: other.with(one.body), side: 'server', accept }));
    return openFrameChannel({ ...base, duplex: one.with(other.body), side: 'client' });
  }

  reconnect(): void {
    this.reconnected += 1;
  }

  async close(): Promise<void> {
    for (const server of this.servers) server.close();
    await Promise.all(this.servers.map((server) => server.closed));
  }
}

const answer = (body: unknown): Uint8Array =>
  encodeCallAnswer({ status: 200, body, follows: undefined, headers: undefined });

/** Answers with the route that was called; never, for a claim. */
const routes: AcceptConversation = (conversation) => ({
  onMessage: (message) => {
    const { route } = decodeCall(message);
    if (route === 'claim') return;
    void conversation.send(answer(route));
    conversation.end();
  },
  onEnd: () => undefined,
  onClosed: () => undefined,
});

/** Byte strings compare by their hash, whatever class they have. */
const plainBytes = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, part: unknown) => (part instanceof Uint8Array ? blake3(part).toHex() : part)));

const claim: CallRequest = { method: 'POST', route: 'claim', body: {} };

describe('a call stream', () => {
  it('opens one stream for all calls', async () => {
    const peer = new StreamPeer(routes);
    const calls = new CallStream(peer, systemClock);
    const results = await Promise.all(Array.from({ length: 50 }, () => calls.call(idle, { signal })));
    assert.ok(results.every((result) => result?.body === 'heartbeat'));
    assert.equal(peer.opened, 1);
    await peer.close();
  });

  it('opens another one when the first is lost, and fails what was under way', async () => {
    const peer = new StreamPeer(routes);
    const calls = new CallStream(peer, systemClock);
    await calls.call(idle, { signal });
    const waiting = calls.call(claim, { signal });
    await Promise.resolve();
    peer.servers[0]?.close();
    await assert.rejects(waiting, { code: 'CONNECTION_LOST' });
    assert.equal((await calls.call(idle, { signal }))?.body, 'heartbeat');
    assert.equal(peer.opened, 2);
    await peer.close();
  });

  it('leaves a stream that takes no more calls', async () => {
    const peer = new StreamPeer(routes);
    const calls = new CallStream(peer, systemClock);
    await calls.call(idle, { signal });
    peer.servers[0]?.end();
    await peer.servers[0]?.closed;
    assert.equal((await calls.call(idle, { signal }))?.body, 'heartbeat');
    assert.equal(peer.opened, 2);
    await peer.close();
  });

  it('says that there is none when the control plane does not know the route, and asks again after a loss', async () => {
    const peer = new StreamPeer(routes);
    const calls = new CallStream(peer, systemClock);
    peer.refusal = mvmError('ROUTE_NOT_FOUND', 'there is no POST /peer/stream');
    assert.equal(await calls.call(idle, { signal }), undefined);
    assert.equal(await calls.call(idle, { signal }), undefined);
    assert.equal(peer.opened, 1);
    peer.refusal = undefined;
    calls.forget();
    assert.equal((await calls.call(idle, { signal }))?.body, 'heartbeat');
    await peer.close();
  });

  it('passes a refusal of the stream on to each call that waited for it', async () => {
    const peer = new StreamPeer(routes);
    const calls = new CallStream(peer, systemClock);
    peer.refusal = mvmError('NOT_JOINED', 'join first');
    const both = await Promise.allSettled([calls.call(idle, { signal }), calls.call(idle, { signal })]);
    assert.ok(both.every((one) => one.status === 'rejected' && one.reason.code === 'NOT_JOINED'));
    assert.equal(peer.opened, 1);
  });

  it('gives the connection up when a deadline passes and nothing at all came', async () => {
    const clock = new FakeClock();
    const peer = new StreamPeer(routes);
    const calls = new CallStream(peer, clock);
    await calls.call(idle, { signal });
    const hanging = calls.call(claim, { signal, deadlineMs: 1_000 });
    await systemClock.nextTurn();
    void clock.advance(1_000);
    await assert.rejects(hanging, { code: 'DEADLINE_EXCEEDED' });
    assert.equal(peer.reconnected, 1);
    await calls.call(idle, { signal });
    assert.equal(peer.opened, 2);
    await peer.close();
  });

  it('gives only the call up when others were answered meanwhile', async () => {
    const clock = new FakeClock();
    const peer = new StreamPeer(routes);
    const calls = new CallStream(peer, clock);
    const hanging = calls.call(claim, { signal, deadlineMs: 1_000 });
    await calls.call(idle, { signal });
    void clock.advance(1_000);
    await assert.rejects(hanging, { code: 'DEADLINE_EXCEEDED' });
    assert.equal(peer.reconnected, 0);
    await calls.call(idle, { signal });
    assert.equal(peer.opened, 1);
    await peer.close();
  });

  it('sends a long request as it is', async () => {
    const bytes = new Uint8Array(3_000_000).map((_, index) => index >> 8);
    const bodies: unknown[] = [];
    const peer = new StreamPeer((conversation) => ({
      onMessage: (message) => {
        bodies.push(decodeCall(message).body);
        void conversation.send(answer(null));
        conversation.end();
      },
      onEnd: () => undefined,
      onClosed: () => undefined,
    }));
    const calls = new CallStream(peer, systemClock);
    const body = {
      appends: [
        { job: 'a', bytes },
        { job: 'b', bytes: bytes.slice(0, 10), count: 1 },
      ],
      last: true,
    };
    await calls.call({ method: 'POST', route: 'append', body }, { signal });
    assert.deepEqual(plainBytes(bodies[0]), plainBytes(body));
    await peer.close();
  });

  it('tells the control plane when a caller gives up', async () => {
    const closed = Promise.withResolvers<MvmError | undefined>();
    const arrived = Promise.withResolvers<void>();
    const peer = new StreamPeer(() => ({
      onMessage: () => arrived.resolve(),
      onEnd: () => undefined,
      onClosed: (error) => closed.resolve(error),
    }));
    const calls = new CallStream(peer, systemClock);
    const caller = new AbortController();
    const waiting = calls.call(claim, { signal: caller.signal });
    await arrived.promise;
    caller.abort();
    await assert.rejects(waiting, { code: 'CANCELLED' });
    assert.equal((await closed.promise)?.code, 'CANCELLED');
    await peer.close();
  });

  it('joins the bytes that follow an answer, and calls what it can not read a fault', async () => {
    const peer = new StreamPeer((conversation) => ({
      onMessage: (message) => {
        const { route } = decodeCall(message);
        const head = { status: 200, body: null, follows: 'application/octet-stream', headers: undefined };
        if (route === 'peerModule') {
          for (const part of [encodeCallAnswer(head), Uint8Array.of(1, 2), Uint8Array.of(3)]) {
            void conversation.send(part);
          }
        } else if (route === 'heartbeat') void conversation.send(Uint8Array.of(0xc1));
        conversation.end();
      },
      onEnd: () => undefined,
      onClosed: () => undefined,
    }));
    const calls = new CallStream(peer, systemClock);
    const result = await calls.call({ method: 'GET', route: 'peerModule', parameter: 'x' }, { signal });
    assert.deepEqual(result?.bytes, Uint8Array.of(1, 2, 3));
    await assert.rejects(calls.call(idle, { signal }), { code: 'INTERNAL' });
    await assert.rejects(calls.call(claim, { signal }), { code: 'INTERNAL' });
    await peer.close();
  });
});

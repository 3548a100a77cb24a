import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

import { MvmError } from '@mvm-ci/protocol';

import {
  backoffDelayMs,
  ReconnectingPeer,
  serveHttp3,
  type EndpointAddress,
  type PeerConnection,
  type PeerEndpoint,
  type PeerState,
  type ReconnectingPeerOptions,
} from '../src/index.ts';
import { newKey, openPeer } from './fixtures/peers.ts';

const hasCode =
  (...codes: readonly string[]) =>
  (thrown: unknown): boolean => {
    assert.ok(thrown instanceof MvmError, String(thrown));
    assert.ok(codes.includes(thrown.code), thrown.message);
    return true;
  };

/** States as they come, and a way to wait for one. */
class States {
  readonly seen: PeerState[] = [];
  readonly #waiting: (() => void)[] = [];

  readonly add = (state: PeerState): void => {
    this.seen.push(state);
    for (const wake of this.#waiting.splice(0)) wake();
  };

  /** Waits for a state that comes after `from` states were seen. */
  async next(state: PeerState['state'], from: number = this.seen.length): Promise<void> {
    while (!this.seen.slice(from).some((entry) => entry.state === state)) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

const reconnecting = (
  endpoint: PeerEndpoint,
  address: EndpointAddress,
  options: Partial<ReconnectingPeerOptions> = {},
): ReconnectingPeer =>
  new ReconnectingPeer({ endpoint, addresses: [address], random: () => 0.5, backoffMsMax: 200, ...options });

const answer = (text: string): { handler: () => Response } => ({ handler: () => new Response(text) });

test('the first request connects, and later ones use the same connection', async () => {
  await using server = await openPeer();
  await using endpoint = await openPeer();
  const http3 = serveHttp3(server, answer('here'));
  const states = new States();
  await using peer = reconnecting(endpoint, server.address(), { onState: states.add });
  assert.deepEqual(peer.state, { state: 'idle' });
  const texts = await Promise.all([1, 2, 3].map(async () => (await peer.fetch('/')).text()));
  assert.deepEqual(texts, ['here', 'here', 'here']);
  assert.equal(http3.connections.length, 1);
  assert.deepEqual(
    states.seen.map(({ state }) => state),
    ['connecting', 'connected'],
  );
});

/** Starts the echo server in a process of its own and reads its address. */
const startServer = async (bind: string): Promise<{ child: ChildProcess; address: EndpointAddress }> => {
  const program = new URL('fixtures/echo-server.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [program, '201', bind], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, address: JSON.parse(line) as EndpointAddress };
};

test('a server that restarts with its key and port is found again without a request', async (context) => {
  const first = await startServer('127.0.0.1:0');
  context.after(() => first.child.kill('SIGKILL'));
  await using endpoint = await openPeer();
  const states = new States();
  await using peer = reconnecting(endpoint, first.address, { onState: states.add });
  assert.equal(await (await peer.fetch('/')).text(), String(first.child.pid));
  const from = states.seen.length;
  first.child.kill('SIGTERM');
  await once(first.child, 'exit');
  await states.next('connecting', from);
  const second = await startServer(first.address.addresses[0] ?? '');
  context.after(() => second.child.kill('SIGKILL'));
  peer.retryNow();
  await states.next('connected', from);
  assert.equal(await (await peer.fetch('/')).text(), String(second.child.pid));
});

test('a server that is killed and started again answers the next request after one missed deadline', async (context) => {
  const first = await startServer('127.0.0.1:0');
  context.after(() => first.child.kill('SIGKILL'));
  await using endpoint = await openPeer();
  await using peer = reconnecting(endpoint, first.address);
  assert.equal(await (await peer.fetch('/')).text(), String(first.child.pid));
  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  // Nothing tells the client: the transport notices only after half a minute. The deadline does.
  await assert.rejects(peer.fetch('/', { deadlineMs: 300 }), hasCode('DEADLINE_EXCEEDED', 'CONNECTION_LOST'));
  const second = await startServer(first.address.addresses[0] ?? '');
  context.after(() => second.child.kill('SIGKILL'));
  peer.retryNow();
  assert.equal(await (await peer.fetch('/')).text(), String(second.child.pid));
});

test('a connection on which no packet comes is asked whether it is alive, though nobody asks for anything', async () => {
  await using server = await openPeer();
  await using endpoint = await openPeer();
  const asked = Promise.withResolvers<string>();
  const handler = (request: Request): Response => {
    asked.resolve(new URL(request.url).pathname);
    return new Response('alive');
  };
  serveHttp3(server, { handler });
  const connect = endpoint.connect.bind(endpoint);
  const deaf = async (...call: Parameters<typeof connect>): Promise<PeerConnection> =>
    Object.assign(await connect(...call), { packetsReceived: () => 0 });
  await using peer = reconnecting(Object.assign(endpoint, { connect: deaf }), server.address());
  peer.start();
  assert.equal(await asked.promise, '/');
});

test('a request under way fails when its connection breaks, and is not sent again', async () => {
  const server = await openPeer();
  await using endpoint = await openPeer();
  let requests = 0;
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  serveHttp3(server, {
    handler: () => {
      requests += 1;
      resolve();
      return new Promise(() => undefined);
    },
  });
  await using peer = reconnecting(endpoint, server.address());
  const failed = assert.rejects(peer.fetch('/'), hasCode('CONNECTION_LOST'));
  await arrived;
  await server.close();
  await failed;
  assert.equal(requests, 1);
});

test('without any peer a request waits for its deadline, no longer', async () => {
  const gone = await openPeer();
  const address = gone.address();
  await gone.close();
  await using endpoint = await openPeer();
  await using peer = reconnecting(endpoint, address);
  await assert.rejects(peer.fetch('/', { deadlineMs: 50 }), hasCode('DEADLINE_EXCEEDED'));
  await assert.rejects(peer.fetch('/', { signal: AbortSignal.abort() }), hasCode('CANCELLED'));
});

test('of several peers the first that answers is used', async () => {
  const gone = await openPeer();
  const lost = gone.address();
  await gone.close();
  await using server = await openPeer();
  await using endpoint = await openPeer();
  serveHttp3(server, answer('the second'));
  await using peer = new ReconnectingPeer({
    endpoint,
    addresses: [lost, server.address()],
    random: () => 0,
    connect: { connectMs: 50 },
  });
  assert.equal(await (await peer.fetch('/')).text(), 'the second');
});

test('a server that stops gracefully is left while it finishes the requests under way', async () => {
  const secretKey = newKey();
  await using first = await openPeer({ secretKey });
  await using endpoint = await openPeer();
  const release = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  const http3 = serveHttp3(first, {
    handler: async () => {
      arrived.resolve();
      await release.promise;
      return new Response('finished');
    },
  });
  const states = new States();
  await using peer = reconnecting(endpoint, first.address(), { onState: states.add, stableMs: 0 });
  const underWay = peer.fetch('/');
  await arrived.promise;
  const again = states.next('connecting');
  const stopped = http3.stop();
  await again;
  release.resolve();
  assert.equal(await (await underWay).text(), 'finished');
  await stopped;
});

test('after close nothing is tried any more, and requests fail at once', async () => {
  await using server = await openPeer();
  await using endpoint = await openPeer();
  serveHttp3(server, answer('here'));
  const peer = reconnecting(endpoint, server.address());
  await peer.fetch('/');
  await peer.close();
  await peer.close();
  assert.deepEqual(peer.state, { state: 'closed' });
  await assert.rejects(peer.fetch('/'), hasCode('CONNECTION_LOST'));
  const unused = reconnecting(endpoint, server.address());
  await unused.close();
  await assert.rejects(unused.fetch('/'), hasCode('CONNECTION_LOST'));
});

test('the backoff doubles up to its cap, and the jitter takes any part of it', () => {
  const bounds = { backoffMs: 50, backoffMsMax: 5_000 };
  const longest = [0, 1, 2, 6, 7, 100].map((attempt) => backoffDelayMs(attempt, { ...bounds, random: () => 1 }));
  assert.deepEqual(longest, [50, 100, 200, 3_200, 5_000, 5_000]);
  assert.equal(backoffDelayMs(3, { ...bounds, random: () => 0 }), 0);
});

test('while there is no connection it says where it looked, for how long, and how the last try ended', async () => {
  const gone = await openPeer();
  const lost = gone.address();
  await gone.close();
  await using server = await openPeer();
  await using endpoint = await openPeer();
  serveHttp3(server, answer('here'));
  const states = new States();
  const address = { ...lost, hosts: ['plane.invalid:1'], relayUrl: 'https://relay.invalid/' };
  await using peer = reconnecting(endpoint, address, { onState: states.add, connect: { connectMs: 50 } });
  assert.deepEqual([peer.unreachable], [undefined]);
  const waiting = states.next('waiting');
  peer.start();
  await waiting;
  const { unreachable } = peer;
  assert.ok(unreachable);
  assert.equal(unreachable.code, 'CONTROL_PLANE_UNREACHABLE');
  assert.match(
    unreachable.message,
    /^can't reach any of these addresses: 127\.0\.0\.1:\d+, plane\.invalid:1, the relay https:\/\/relay\.invalid\/; tried for \d+ s; the last try: /,
  );
  await using found = reconnecting(endpoint, server.address());
  await found.connected();
  assert.equal(found.unreachable, undefined);
});

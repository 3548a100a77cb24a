import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MvmError } from '@mvm-ci/protocol';

import { connectHttp3, openEndpoint, serveHttp3, type PeerConnection } from '../../src/index.ts';
import { newKey, openPeer } from '../fixtures/peers.ts';

const hasCode =
  (code: string, message = /./) =>
  (thrown: unknown): boolean => {
    assert.ok(thrown instanceof MvmError, String(thrown));
    assert.equal(thrown.code, code, thrown.message);
    assert.match(thrown.message, message);
    return true;
  };

const firstOf = async (connections: AsyncIterable<PeerConnection>): Promise<PeerConnection> => {
  const next = await connections[Symbol.asyncIterator]().next();
  if (next.done === true) throw new Error('the endpoint closed');
  return next.value;
};

test('both sides see the proven id of the other', async () => {
  await using server = await openPeer();
  await using client = await openPeer();
  const incoming = firstOf(server.connections('iroh+h3'));
  const outgoing = await client.connect(server.address(), { alpn: 'iroh+h3' });
  const accepted = await incoming;
  assert.equal(outgoing.peerId, server.id);
  assert.equal(accepted.peerId, client.id);
  assert.match(server.id, /^[0-9a-f]{64}$/);
  assert.equal(accepted.alpn, 'iroh+h3');
});

test('an address is plain JSON and good enough to connect', async () => {
  await using server = await openPeer();
  await using client = await openPeer();
  const incoming = firstOf(server.connections('iroh+h3'));
  const address = JSON.parse(JSON.stringify(server.address())) as ReturnType<typeof server.address>;
  await client.connect(address, { alpn: 'iroh+h3' });
  assert.equal((await incoming).peerId, client.id);
});

test('a stranger with the wrong ALPN gets an error, and the next peer is served', async () => {
  await using server = await openPeer();
  await using client = await openPeer();
  serveHttp3(server, { handler: () => new Response('still here') });
  for (let stranger = 0; stranger < 3; stranger += 1) {
    const connecting = client.connect(server.address(), { alpn: 'something-else' });
    await assert.rejects(connecting, hasCode('CONNECTION_LOST', /does not speak this protocol/));
  }
  const peer = await connectHttp3(client, server.address());
  assert.equal(await (await peer.fetch('/')).text(), 'still here');
});

test('an offered ALPN that nobody serves is closed, and says so', async () => {
  await using server = await openPeer({ alpns: ['iroh+h3', 'unserved'] });
  await using client = await openPeer();
  const connection = await client.connect(server.address(), { alpn: 'unserved' });
  const { by, text } = await connection.closed;
  assert.deepEqual({ by, text }, { by: 'peer', text: 'nobody serves this protocol' });
});

test('another node at the address is found out', async () => {
  await using server = await openPeer();
  await using other = await openPeer();
  await using client = await openPeer();
  const forged = { id: other.id, addresses: server.address().addresses };
  const connecting = client.connect(forged, { alpn: 'iroh+h3' });
  await assert.rejects(connecting, hasCode('CONNECTION_LOST', /another node answers/));
});

test('connecting to nobody ends with the deadline, or when the caller cancels', async () => {
  await using client = await openPeer();
  await using gone = await openPeer();
  const address = gone.address();
  await gone.close();
  const late = client.connect(address, { alpn: 'iroh+h3', deadlineMs: 50 });
  await assert.rejects(late, hasCode('DEADLINE_EXCEEDED', /50 ms/));
  const cancelled = client.connect(address, { alpn: 'iroh+h3', signal: AbortSignal.abort() });
  await assert.rejects(cancelled, hasCode('CANCELLED'));
});

test('error texts carry no backtrace', async () => {
  await using server = await openPeer();
  await using client = await openPeer();
  await assert.rejects(client.connect(server.address(), { alpn: 'wrong' }), (thrown) => {
    assert.ok(thrown instanceof MvmError);
    assert.doesNotMatch(JSON.stringify(thrown.toRecord()), /backtrace|\.rs:/);
    return true;
  });
});

test('closing is seen by the peer, ends the readers, and may be repeated', async () => {
  const server = await openPeer();
  await using client = await openPeer();
  const incoming = firstOf(server.connections('iroh+h3'));
  const connection = await client.connect(server.address(), { alpn: 'iroh+h3' });
  await incoming;
  await Promise.all([server.close(), server.close()]);
  await connection.closed;
  assert.ok(connection.isClosed);
  await assert.rejects(connection.openBidirectional(), hasCode('CONNECTION_LOST'));
  for await (const never of server.connections('iroh+h3')) assert.fail(never.peerId);
});

test('unidirectional streams that came before anybody asked are handed out in their order; who asks at the end is told', async () => {
  await using server = await openPeer();
  await using client = await openPeer();
  const incoming = firstOf(server.connections('iroh+h3'));
  const connection = await client.connect(server.address(), { alpn: 'iroh+h3' });
  const accepted = await incoming;
  for (const byte of [1, 2]) await (await connection.openUnidirectional()).writeAll(new Uint8Array([byte]));
  const both = [await accepted.acceptUnidirectional(), await accepted.acceptUnidirectional()];
  assert.deepEqual(await Promise.all(both.map(async (half) => (await half.read(1))[0])), [1, 2]);
  const asked = accepted.acceptUnidirectional();
  connection.close(7, 'enough');
  await assert.rejects(asked, hasCode('CONNECTION_LOST'));
  assert.deepEqual(await accepted.closed, { by: 'peer', code: 7, text: 'enough' });
  await assert.rejects(accepted.acceptUnidirectional(), hasCode('CONNECTION_LOST'));
});

test('the connections of one ALPN have one reader', async () => {
  await using server = await openPeer();
  server.connections('iroh+h3');
  assert.throws(() => server.connections('iroh+h3'), hasCode('INVALID_ARGUMENT', /have a reader/));
});

test('over the limit of connections a stranger is refused', async () => {
  await using server = await openPeer({ connectionsMax: 1 });
  await using client = await openPeer();
  await using second = await openPeer();
  const connections = server.connections('iroh+h3')[Symbol.asyncIterator]();
  await client.connect(server.address(), { alpn: 'iroh+h3' });
  await connections.next();
  await assert.rejects(second.connect(server.address(), { alpn: 'iroh+h3' }), hasCode('CONNECTION_LOST'));
});

test('the paths of a connection can be asked for', async () => {
  await using server = await openPeer();
  await using client = await openPeer();
  serveHttp3(server, { handler: () => new Response() });
  const peer = await connectHttp3(client, server.address());
  const [path] = peer.connection.paths();
  assert.equal(path?.kind, 'direct');
  assert.match(path.remote, /^127\.0\.0\.1:/);
});

test('a wrong key or an address that can not be bound is refused', async () => {
  await assert.rejects(
    openEndpoint({ secretKey: new Uint8Array(31) }),
    hasCode('INVALID_ARGUMENT', /32 bytes, not 31/),
  );
  const elsewhere = openEndpoint({ secretKey: newKey(), bind: ['192.0.2.1:1'] });
  await assert.rejects(elsewhere, hasCode('UNAVAILABLE', /192\.0\.2\.1:1/));
});

test('without bind addresses all interfaces are used', async () => {
  await using endpoint = await openEndpoint({ secretKey: newKey() });
  assert.ok(endpoint.address().addresses.length > 0);
});

test('names are looked up at each attempt, and one that is not found does no harm', async () => {
  await using server = await openPeer();
  const names: string[] = [];
  const lookup = (name: string): Promise<readonly string[]> => {
    names.push(name);
    return Promise.resolve(name === 'plane.test' ? ['127.0.0.1'] : []);
  };
  await using client = await openPeer({ lookup });
  serveHttp3(server, { handler: () => new Response('found') });
  const port = server.address().addresses[0]?.split(':')[1] ?? '';
  const address = { id: server.id, addresses: [], hosts: [`gone.test:${port}`, `plane.test:${port}`] };
  const peer = await connectHttp3(client, address);
  assert.equal(await (await peer.fetch('/')).text(), 'found');
  assert.deepEqual(names, ['gone.test', 'plane.test']);
});

test('a relay that does not answer, and discovery without a network, leave direct connections as they are', async () => {
  await using server = await openPeer({ relay: new URL('http://127.0.0.1:1/'), discovery: 'default' });
  await using client = await openPeer({ discovery: 'default' });
  assert.equal(await server.relayReady(50), false);
  serveHttp3(server, { handler: () => new Response('direct') });
  const peer = await connectHttp3(client, server.address());
  assert.equal(await (await peer.fetch('/')).text(), 'direct');
});

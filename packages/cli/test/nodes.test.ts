import assert from 'node:assert/strict';
import { startControlPlane, systemRandom, type ControlPlane } from '@mvm-ci/control';
import { connectHttp3, decodeTicket, openEndpoint, type PeerClient, type PeerEndpoint } from '@mvm-ci/net';
import { encodeBody, peerProtocol } from '@mvm-ci/protocol';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runCommand, type CommandResult } from './fixtures/fake-host.ts';

describe('mvm-ci nodes and ticket', { timeout: 120_000 }, () => {
  const data = mkdtempSync(join(tmpdir(), 'mvm-ci-nodes-'));
  const opened = new AsyncDisposableStack();
  let plane: ControlPlane;

  before(async () => {
    plane = await startControlPlane({
      data,
      http: { port: 0 },
      peer: { bind: ['127.0.0.1:0'] },
      admit: (file) => Promise.resolve({ workflows: file.workflows }),
    });
    opened.use(plane);
  });

  after(async () => {
    await opened.disposeAsync();
    rmSync(data, { recursive: true });
  });

  const run = (...args: readonly string[]): Promise<CommandResult> => runCommand([...args, '--url', plane.httpUrl]);

  /** Joins by a ticket. */
  const joined = async (ticket: string, name: string): Promise<{ endpoint: PeerEndpoint; client: PeerClient }> => {
    const endpoint = opened.use(await openEndpoint({ secretKey: systemRandom.bytes(32), bind: ['127.0.0.1:0'] }));
    const client = opened.use(await connectHttp3(endpoint, decodeTicket(ticket).address));
    const body = { protocol: peerProtocol, token: decodeTicket(ticket).token, incarnation: 'i1', name };
    const headers = { 'content-type': 'application/msgpack' };
    const init = { method: 'POST', headers, body: encodeBody(body, 'application/msgpack') };
    assert.equal((await client.fetch('/peer/join', init)).status, 200);
    return { endpoint, client };
  };

  it('makes a ticket that alone is on stdout, and lists it without its text', async () => {
    const made = await run('ticket', 'create', '--uses', '2', '--expires', '24h', '--tags', 'a,b', '--name', 'build');
    assert.equal(made.code, 0, made.stderr);
    const ticket = decodeTicket(made.stdout.trim());
    assert.equal(ticket.cluster, plane.cluster);
    assert.match(made.stderr, /lets in 2 new nodes as worker and expires at .*; it is not shown again/);
    const list = await run('ticket', 'list');
    assert.match(list.stdout, /build +worker +open +0\/2 .* a, b /);
    assert.match(list.stdout, /endpoint\.ticket +worker +open +0\/∞ +never/);
    const id = /^(\w+) +build/m.exec(list.stdout)?.[1] ?? '';
    assert.equal(
      (await run('ticket', 'revoke', id)).stdout,
      `ticket ${id} is revoked; 0 nodes that joined by it stay\n`,
    );
    assert.match((await run('ticket', 'list')).stdout, /build +worker +revoked/);
  });

  it('refuses a duration, a role and tags that are none, with the rule', async () => {
    const duration = await run('ticket', 'create', '--expires', '24');
    assert.equal(duration.code, 2);
    assert.match(
      duration.stderr,
      /must be a whole number above 0 with its unit, such as 90s, 15m, 24h or 7d.*received "24"/,
    );
    assert.match(
      (await run('ticket', 'create', '--role', 'king')).stderr,
      /Allowed choices are worker, publisher, admin/,
    );
    assert.match((await run('ticket', 'create', '--tags', 'a,b c')).stderr, /at most 32 of letters.* received "b c"/);
  });

  it('shows how a node is connected, renames it, and shuts it out until it is allowed again', async () => {
    const { endpoint, client } = await joined(plane.ticket, 'first');
    const listed = await run('nodes');
    assert.match(
      listed.stdout,
      new RegExp(
        `^${endpoint.id.slice(0, 10)} +first +worker +here +0 +direct 127\\.0\\.0\\.1:\\d+ [\\d.]+ ms +0`,
        'm',
      ),
    );
    assert.equal((await run('nodes', 'rename', 'first', 'north')).code, 0);
    const banned = await run('nodes', 'ban', 'north', '--reason', 'noise');
    assert.equal(banned.stdout, `node ${endpoint.id} (north) is banned\n`);
    const { by } = await client.closed;
    assert.equal(by, 'peer');
    const [node] = JSON.parse((await run('nodes', 'list', '--json')).stdout) as readonly Record<string, unknown>[];
    assert.deepEqual([node?.['name'], node?.['ban_reason'], node?.['connection']], ['north', 'noise', null]);
    assert.match((await run('nodes')).stdout, /north +worker +banned/);
    assert.equal((await run('nodes', 'allow', endpoint.id.slice(0, 12))).code, 0);
    assert.match((await run('nodes')).stdout, /north +worker +here/);
  });

  it('names the candidates when it is not clear which node is meant', async () => {
    const [one, other] = [await joined(plane.ticket, 'twin'), await joined(plane.ticket, 'twin')];
    const { code, stderr } = await run('nodes', 'ban', 'twin');
    assert.equal(code, 1);
    assert.match(stderr, /^error NODE_AMBIGUOUS: "twin" can be /);
    for (const { endpoint } of [one, other]) assert.ok(stderr.includes(endpoint.id));
  });

  it('says which commands there are when it is given another one, and which options they have', async () => {
    const { code, stderr } = await run('nodes', 'bann', 'x');
    assert.equal(code, 2);
    assert.match(stderr, /there is no command "nodes bann": use one of list, ban, allow, rename/);
    assert.match((await run('nodes', '--help')).stdout, /Options of each of them:\n +--json [^]* --ticket <ticket> /);
  });

  it('goes by the ticket in a file, and says what is wrong with a file that holds none', async () => {
    const clientData = ['--client-data', join(data, 'client')];
    const refused = await runCommand(['nodes', '--ticket', join(data, 'peer-ports.json'), ...clientData]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /^error TICKET_INVALID: this is not a ticket: it begins "{/);
    const admin = join(data, 'admin.ticket');
    writeFileSync(admin, (await run('ticket', 'create', '--role', 'admin')).stdout);
    const listed = await runCommand(['nodes', '--ticket', admin, ...clientData]);
    assert.deepEqual([listed.code, listed.stderr], [0, '']);
  });
});

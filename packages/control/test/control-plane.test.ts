import { decodeTicket } from '@mvm-ci/net';
import { peerProtocol } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { join as joinPath } from 'node:path';
import { createInterface } from 'node:readline';
import { suite, test } from 'node:test';
import { z } from 'zod';
import { startControlPlane, type ControlPlane, type ControlPlaneOptions } from '../src/control-plane.ts';
import { systemRandom } from '../src/system-random.ts';
import { controlLimits } from '../src/limits.ts';
import { silentLogger } from '../src/logger.ts';
import { moduleFile } from './api/test-plane.ts';
import { PeerUser } from './fixtures/peer-user.ts';
import { StillClock } from './fixtures/still-clock.ts';
import { TemporaryFolder } from './fixtures/temporary-folder.ts';

const start = (data: string, options: Partial<ControlPlaneOptions> = {}): Promise<ControlPlane> =>
  startControlPlane({
    data,
    http: { port: 0 },
    peer: { bind: ['127.0.0.1:0'] },
    admit: (file) => Promise.resolve({ workflows: file.workflows }),
    ...options,
  });

// oxlint-disable-next-line typescript/no-explicit-any -- the tests look into answers of every shape
type Sent = { readonly status: number; readonly body: any };

/** POSTs JSON, or GETs when there is no body. */
const send = async (url: string, body?: unknown, signal?: AbortSignal): Promise<Sent> => {
  const response = await fetch(url, {
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
    headers: { 'content-type': 'application/json' },
    ...(signal && { signal }),
  });
  return { status: response.status, body: await response.json() };
};

/** A request that the server has: what was sent after it has been answered. */
const sent = async (url: string): Promise<{ readonly response: Promise<IncomingMessage> }> => {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const outgoing = request(url, (incoming) => resolve(incoming.resume())).on('error', reject);
  outgoing.end();
  await once(outgoing, 'finish');
  await send(new URL('/healthz', url).href);
  return { response: promise };
};

/** A control plane in a process of its own. */
interface PlaneProcess {
  readonly url: string;
  readonly ticket: string;
  kill(): Promise<void>;
}

const startProcess = async (data: string): Promise<PlaneProcess> => {
  const fixture = new URL('./fixtures/serve-data-folder.ts', import.meta.url);
  const child = spawn(process.execPath, [fixture.pathname, data], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { url, ticket } = z.object({ url: z.string(), ticket: z.string() }).parse(JSON.parse(String(line)));
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return { url, ticket, kill };
};

const deploy = (plane: ControlPlane): Promise<Response> =>
  fetch(`${plane.httpUrl}/modules?name=crawler&version=1`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(moduleFile()),
  });

suite('a control plane', () => {
  test('lets a worker in by its ticket alone, over iroh, and gives it a job that was published over HTTP', async () => {
    using folder = new TemporaryFolder();
    await using plane = await start(folder.path);
    assert.equal(readFileSync(plane.ticketPath, 'utf8').trim(), plane.ticket);
    assert.equal(statSync(plane.ticketPath).mode & 0o777, 0o600);
    await using peer = await PeerUser.connect(plane.ticket);
    const claim = { incarnation: 'i1', capacity: 1, waitMs: 20_000 };
    assert.equal((await peer.call('POST', '/peer/claim', claim)).body.error.code, 'NOT_JOINED');
    const ticket = decodeTicket(plane.ticket);
    const joined = await peer.call('POST', '/peer/join', {
      protocol: peerProtocol,
      token: ticket.token,
      incarnation: 'i1',
    });
    assert.deepEqual([joined.body.node, joined.body.cluster], [peer.id, ticket.cluster]);
    await deploy(plane);
    const waiting = peer.call('POST', '/peer/claim', claim);
    await send(`${plane.httpUrl}/queue/publish`, { job_id: 'a', workflow: 'crawler', input: 1 });
    const [job] = (await waiting).body.jobs;
    assert.deepEqual([job.job, job.input], ['a', '1']);
    const outcome = { type: 'completed', result: '2' };
    await peer.call('POST', '/peer/finish', { finishes: [{ job: 'a', epoch: 1, attempt: 1, outcome }] });
    const done = await send(`${plane.httpUrl}/queue/status/a?wait_ms=10000`);
    assert.deepEqual([done.body.status, done.body.result], ['completed', 2]);
    assert.equal((await peer.call('POST', '/queue/publish', { payload: 1 })).body.error.code, 'FORBIDDEN');
  });

  test('is the same node after a restart, and knows its members', async () => {
    using folder = new TemporaryFolder();
    const key = systemRandom.bytes(32);
    const join = async (ticket: string, token: string | undefined): Promise<number> => {
      await using peer = await PeerUser.connect(ticket, key);
      return (await peer.call('POST', '/peer/join', { protocol: peerProtocol, token, incarnation: 'i1' })).status;
    };
    const first = await start(folder.path);
    assert.equal(await join(first.ticket, decodeTicket(first.ticket).token), 200);
    await first.stop();
    await using second = await start(folder.path);
    assert.deepEqual([second.node, second.cluster], [first.node, first.cluster]);
    assert.equal(await join(second.ticket, undefined), 200);
  });

  test('warns at its start that its own ticket is revoked, and what makes a new one', async () => {
    using folder = new TemporaryFolder();
    const warnings: string[] = [];
    const logger = { ...silentLogger, warn: (_: unknown, text?: string) => void warnings.push(String(text)) };
    const first = await start(folder.path, { logger });
    const [own] = (await send(`${first.httpUrl}/tickets`)).body;
    await send(`${first.httpUrl}/tickets/${own.id}/revoke`, {});
    await first.stop();
    assert.deepEqual(warnings, []);
    await using second = await start(folder.path, { logger });
    assert.equal(second.ticket.length > 0, true);
    assert.match(warnings.join('\n'), /^the ticket in endpoint\.ticket is revoked.*remove join\.token/);
  });

  test('keeps its jobs and its ticket through a SIGKILL of its process', async () => {
    using folder = new TemporaryFolder();
    const first = await startProcess(folder.path);
    const published = await send(`${first.url}/queue/publish`, { job_id: 'a', payload: 1 });
    assert.equal(published.body.created, true);
    await first.kill();
    const second = await startProcess(folder.path);
    const again = await send(`${second.url}/queue/publish`, { job_id: 'a', payload: 1 });
    await second.kill();
    assert.deepEqual([again.body.created, second.ticket], [false, first.ticket]);
  });

  test('takes its data folder for itself, and stops twice', async () => {
    using folder = new TemporaryFolder();
    const plane = await start(folder.path);
    await assert.rejects(start(folder.path), { code: 'CONFIG_INVALID', message: /another process/ });
    await Promise.all([plane.stop(), plane.stop()]);
    await using again = await start(folder.path);
    assert.ok(again.node);
  });

  test('says so when its address is taken, and leaves the folder free', async () => {
    using folder = new TemporaryFolder();
    using other = new TemporaryFolder();
    await using plane = await start(folder.path);
    const port = Number(new URL(plane.httpUrl).port);
    await assert.rejects(start(other.path, { http: { port } }), { code: 'CONFIG_INVALID', message: /can't listen/ });
    await using again = await start(other.path);
    assert.ok(again.node);
  });

  test('demands a token when it is reachable from elsewhere, and makes one that only its owner can read', async () => {
    using folder = new TemporaryFolder();
    await using plane = await start(folder.path, { http: { host: '0.0.0.0', port: 0 } });
    const token = readFileSync(joinPath(folder.path, 'operator.token'), 'utf8').trim();
    assert.equal(plane.operatorToken, token);
    assert.equal(statSync(joinPath(folder.path, 'operator.token')).mode & 0o777, 0o600);
    const url = plane.httpUrl.replace('0.0.0.0', '127.0.0.1');
    assert.equal((await fetch(`${url}/queue/stats`)).status, 401);
    const allowed = await fetch(`${url}/queue/stats`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(allowed.status, 200);
  });

  test('refuses a request that came by a foreign name', async () => {
    using folder = new TemporaryFolder();
    await using plane = await start(folder.path);
    const status = await new Promise((resolve, reject) => {
      const { port } = new URL(plane.httpUrl);
      const options = { port, path: '/queue/list', headers: { host: 'evil.test' } };
      request(options, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end();
    });
    assert.equal(status, 403);
  });

  test('claims nothing for an HTTP client that went away', async () => {
    using folder = new TemporaryFolder();
    await using plane = await start(folder.path);
    await deploy(plane);
    const gone = new AbortController();
    const claim = { worker: 'w1', incarnation: 'i1', capacity: 1, waitMs: 20_000 };
    const url = `${plane.httpUrl}/peer/claim`;
    const waiting = send(url, claim, gone.signal);
    // The second claim waits behind the first: when it has been answered, the first one was waiting before.
    assert.deepEqual((await send(url, { ...claim, waitMs: 1 })).body.jobs, []);
    gone.abort();
    await assert.rejects(waiting);
    const next = send(url, { ...claim, worker: 'w2' });
    await send(`${plane.httpUrl}/queue/publish`, { job_id: 'a', workflow: 'crawler' });
    assert.equal((await next).body.jobs[0].job, 'a');
  });

  test('puts advertised addresses into its tickets, first, and the relay that it is to use', async () => {
    using folder = new TemporaryFolder();
    const relay = new URL('http://127.0.0.1:1/');
    const advertise = ['192.0.2.1:3021', 'ci.example.org:3021'];
    await using plane = await start(folder.path, { peer: { bind: ['127.0.0.1:0'], advertise, relay } });
    const created = await send(`${plane.httpUrl}/tickets`, { expires_in_ms: 60_000 });
    for (const text of [plane.ticket, String(created.body.ticket)]) {
      const { address, cluster } = decodeTicket(text);
      assert.equal(cluster, plane.cluster);
      assert.equal(address.addresses[0], '192.0.2.1:3021');
      assert.match(address.addresses[1] ?? '', /^127\.0\.0\.1:\d+$/);
      assert.deepEqual([address.hosts, address.relayUrl], [['ci.example.org:3021'], relay.href]);
    }
  });

  test('closes the connection of a peer that never joins, and of one that is banned', async () => {
    using folder = new TemporaryFolder();
    const clock = new StillClock();
    await using plane = await start(folder.path, { clock });
    await using stranger = await PeerUser.connect(plane.ticket);
    await using member = await PeerUser.join(plane.ticket);
    assert.equal((await stranger.call('GET', '/queue/stats')).body.error.code, 'NOT_JOINED');
    clock.advance(controlLimits.strangerMs);
    assert.match((await stranger.client.closed).text, /joins within/);
    assert.equal((await member.call('GET', '/healthz')).status, 200);
    await send(`${plane.httpUrl}/nodes/${member.id}/ban`, { reason: 'noise' });
    assert.equal((await member.client.closed).text, 'this node is banned');
  });

  test('ends long polls and event streams when it stops', async () => {
    using folder = new TemporaryFolder();
    const plane = await start(folder.path);
    await send(`${plane.httpUrl}/queue/publish`, { job_id: 'a', payload: 1 });
    const events = await fetch(`${plane.httpUrl}/queue/events?after=0`);
    const status = await sent(`${plane.httpUrl}/queue/status/a?wait_ms=60000`);
    const reader = events.body?.getReader();
    assert.equal((await reader?.read())?.done, false);
    await plane.stop();
    assert.equal((await status.response).statusCode, 200);
    assert.equal((await reader?.read())?.done, true);
  });
});

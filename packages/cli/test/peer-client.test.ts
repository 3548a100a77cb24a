import assert from 'node:assert/strict';
import { startControlPlane, type ControlPlane } from '@mvm-ci/control';
import { decodeTicket, encodeTicket } from '@mvm-ci/net';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { clientKey } from '../src/client-key.ts';
import { CliProcess } from './fixtures/cli-process.ts';
import { runCommand, type CommandResult } from './fixtures/fake-host.ts';

describe('commands with a ticket', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mvm-ci-peer-client-'));
  let plane: ControlPlane;

  before(async () => {
    plane = await startControlPlane({
      data: join(folder, 'plane'),
      http: { port: 0 },
      peer: { bind: ['127.0.0.1:0'] },
      admit: (file) => Promise.resolve({ workflows: file.workflows }),
    });
  });

  after(async () => {
    await plane.stop();
    rmSync(folder, { recursive: true });
  });

  const create = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await runCommand(['ticket', 'create', ...args, '--url', plane.httpUrl]);
    return stdout.trim();
  };

  const run = (ticket: string, keys: string, ...args: readonly string[]): Promise<CommandResult> =>
    runCommand([...args, '--ticket', ticket, '--client-data', join(folder, keys), '--json']);

  it('publish and watch as a publisher, from a node that one use of the ticket let in, and no more', async () => {
    const ticket = await create('--role', 'publisher', '--uses', '1');
    const stats = await run(ticket, 'publisher', 'stats');
    assert.equal(stats.code, 0, stats.stderr);
    assert.equal(JSON.parse((await run(ticket, 'publisher', 'list')).stdout).jobs.length, 0);
    const refused = await run(ticket, 'publisher', 'nodes');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /"code":"FORBIDDEN".*for admin and the operator, and this node is a publisher/);
    assert.equal(statSync(join(folder, 'publisher', '1', 'node.key')).mode & 0o777, 0o600);
    const other = await run(ticket, 'another', 'stats');
    assert.deepEqual([other.code, JSON.parse(other.stderr).error.code], [2, 'TICKET_USED_UP']);
  });

  it('do as an admin what the operator may, and take the ticket from the environment', async () => {
    const env = { MVM_CI_TICKET: await create('--role', 'admin'), MVM_CI_CLIENT_DATA: join(folder, 'admin') };
    const made = await runCommand(['ticket', 'create', '--json'], { env });
    assert.equal(made.code, 0, made.stderr);
    assert.equal(decodeTicket(String(JSON.parse(made.stdout).ticket)).cluster, plane.cluster);
    const nodes = await runCommand(['nodes', '--json'], { env });
    const listed = JSON.parse(nodes.stdout) as readonly { readonly role: string }[];
    assert.ok(listed.some((node) => node.role === 'admin'));
  });

  it('never take a worker’s ticket from the environment, and no ticket together with a URL', async () => {
    const env = { CONTROL_PLANE_TICKET: plane.ticket, MVM_CI_URL: plane.httpUrl };
    assert.equal((await runCommand(['stats'], { env })).code, 0);
    const both = await runCommand(['stats', '--url', plane.httpUrl, '--ticket', plane.ticket]);
    assert.equal(both.code, 2);
    assert.match(both.stderr, /give --url or --ticket, not both/);
  });

  it('say that a worker’s ticket is for another role', async () => {
    const { stderr } = await run(plane.ticket, 'worker', 'stats');
    assert.match(stderr, /"code":"ROLE_CONFLICT".*this ticket is for the role worker.*publisher or admin/);
    // It has joined as nothing: the same key is good for a ticket of the right role.
    assert.equal((await run(await create('--role', 'publisher'), 'worker', 'stats')).code, 0);
  });

  it('say what is wrong with a ticket, by either clock', async () => {
    const { address, token, cluster } = decodeTicket(await create('--role', 'publisher'));
    const expired = encodeTicket({ address, ...(token && { token }), expiresAtMs: 1_000 });
    assert.equal(JSON.parse((await run(expired, 'x', 'stats')).stderr).error.code, 'TICKET_EXPIRED');
    const foreign = encodeTicket({ address, ...(token && { token }), cluster: `not-${cluster}` });
    const refused = await run(foreign, 'x', 'stats');
    assert.deepEqual([refused.code, JSON.parse(refused.stderr).error.code], [2, 'TICKET_OF_ANOTHER_CLUSTER']);
    assert.equal(JSON.parse((await run('hello', 'x', 'stats')).stderr).error.details.fault, 'not-a-ticket');
  });

  it('use a key each when they run side by side, and free it at their end', () => {
    const keys = join(folder, 'keys');
    const warn = (): void => undefined;
    const first = clientKey(keys, warn);
    const second = clientKey(keys, warn);
    assert.notDeepEqual(first.bytes, second.bytes);
    first[Symbol.dispose]();
    using again = clientKey(keys, warn);
    assert.deepEqual(again.bytes, first.bytes);
    second[Symbol.dispose]();
  });

  it('a worker ends with the addresses that it tried when the time to join is over', async () => {
    const { address } = decodeTicket(plane.ticket);
    const nowhere = encodeTicket({ address: { id: address.id, addresses: ['127.0.0.1:9'] } });
    await using worker = new CliProcess(['worker', '--ticket', nowhere, '--join-timeout', '1']);
    const { code, stderr } = await worker.end();
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^error CONTROL_PLANE_UNREACHABLE: the worker has not joined within 1 s: can't reach any of these addresses: 127\.0\.0\.1:9; tried for \d+ s/m,
    );
  });

  it('a worker that is banned ends with the reason, and can come back when it is allowed', async () => {
    const args = ['worker', '--ticket', plane.ticket, '--data', join(folder, 'node'), '--json'];
    await using worker = new CliProcess(args);
    const node = String((await worker.ready())['node']);
    assert.equal((await runCommand(['nodes', 'ban', node, '--reason', 'noise', '--url', plane.httpUrl])).code, 0);
    const { code, stderr } = await worker.end();
    assert.equal(code, 1);
    assert.match(stderr, /"code":"FORBIDDEN","message":"node \w+ is banned: noise"/);
    assert.equal((await runCommand(['nodes', 'allow', node, '--url', plane.httpUrl])).code, 0);
    await using again = new CliProcess(args);
    assert.equal((await again.ready())['node'], node);
  });
});

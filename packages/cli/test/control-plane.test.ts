import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { CliProcess } from './fixtures/cli-process.ts';
import { runCommand } from './fixtures/fake-host.ts';

describe('mvm-ci control-plane', { timeout: 120_000 }, () => {
  let data: string;

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'mvm-ci-plane-'));
  });

  afterEach(() => rmSync(data, { recursive: true }));

  const start = (...args: readonly string[]): CliProcess => {
    const http = args.includes('--http') ? [] : ['--http', '127.0.0.1:0'];
    const flawless = args.includes('--flawless') ? [] : ['--flawless', 'off'];
    return new CliProcess(['control-plane', '--data', data, ...http, ...flawless, ...args, '--json']);
  };

  it('ends with 0 after a signal, and starts again on the same data with the same node and ticket', async () => {
    const seen = [];
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      await using plane = start();
      const { node, ticket, cluster } = await plane.ready();
      seen.push({ node, ticket, cluster });
      plane.signal(signal);
      const { code, stderr } = await plane.end();
      assert.equal(code, 0, stderr);
    }
    assert.deepEqual(seen[0], seen[1]);
  });

  it('demands the token that it was given, which commands take from a flag or the environment', async () => {
    await using plane = start('--token', 'a-token-of-mine');
    const url = String((await plane.ready())['http']);
    const none = await runCommand(['stats', '--url', url]);
    assert.deepEqual([none.code, none.stdout], [1, '']);
    assert.match(none.stderr, /^error UNAUTHENTICATED: .*\nGive the operator token/);
    const given = await runCommand(['stats', '--url', url, '--token', 'a-token-of-mine']);
    assert.equal(given.code, 0);
    const fromEnvironment = await runCommand(['stats', '--url', url], { env: { MVM_CI_TOKEN: 'a-token-of-mine' } });
    assert.equal(fromEnvironment.code, 0);
  });

  it('makes a token when it listens beyond loopback, which commands find in its data folder', async () => {
    await using plane = start('--http', '0.0.0.0:0');
    const { port } = new URL(String((await plane.ready())['http']));
    const url = `http://127.0.0.1:${port}`;
    assert.equal((await runCommand(['stats', '--url', url])).code, 1);
    const found = await runCommand(['stats', '--url', url, '--data', data]);
    assert.equal(found.code, 0, found.stderr);
    assert.equal(statSync(join(data, 'operator.token')).mode & 0o777, 0o600);
  });

  it('writes its ticket to a second file, for workers that do not see its data', async () => {
    const copy = join(data, 'shared.ticket');
    await using plane = start('--ticket-copy', copy);
    const { ticket } = await plane.ready();
    assert.equal(readFileSync(copy, 'utf8').trim(), ticket);
    await using refused = start('--data', join(data, 'other'), '--ticket-copy', join(data, 'missing', 'shared.ticket'));
    const { code, stderr } = await refused.end();
    assert.equal(code, 2);
    assert.match(stderr, /"CONFIG_INVALID","message":"the copy of the ticket can't be written: /);
  });

  it('says that another process uses the folder, and what to do', async () => {
    await using first = start();
    await first.ready();
    await using second = new CliProcess(['control-plane', '--data', data, '--http', '127.0.0.1:0']);
    const { code, stderr } = await second.end();
    assert.equal(code, 2);
    assert.match(stderr, /^error CONFIG_INVALID: another process uses the data folder .*\n.* --data DIR/m);
  });

  it('serves an engine beside itself, with a token of its own beyond loopback', async () => {
    await using plane = start('--flawless', '0.0.0.0:0');
    const url = new URL(String((await plane.ready())['flawless']));
    url.hostname = '127.0.0.1';
    assert.equal((await fetch(new URL('/readyz', url))).status, 200);
    const token = readFileSync(join(data, 'flawless.token'), 'utf8').trim();
    const asked = async (headers: Readonly<Record<string, string>>): Promise<number> =>
      (await fetch(new URL('/version', url), { headers })).status;
    assert.deepEqual([await asked({}), await asked({ authorization: `Bearer ${token}` })], [401, 200]);
    plane.signal('SIGTERM');
    const { code, stderr } = await plane.end();
    assert.equal(code, 0, stderr);
  });

  it('goes on without an engine server when its usual port is taken, and not when that port was asked for', async () => {
    await using first = start('--flawless', '127.0.0.1:0');
    const { host } = new URL(String((await first.ready())['flawless']));
    const other = ['control-plane', '--data', join(data, 'other'), '--http', '127.0.0.1:0', '--json'];
    await using asked = new CliProcess([...other, '--flawless', host]);
    const { code, stderr } = await asked.end();
    assert.equal(code, 2);
    assert.match(stderr, /"CONFIG_INVALID".*EADDRINUSE/);
    // Whoever has the usual port, this one or another process of this machine: the control plane comes up.
    await using usual = new CliProcess(['flawless', '--data', join(data, 'usual'), '--json']);
    await using plane = new CliProcess(other);
    await usual.line();
    const { flawless } = await plane.ready();
    assert.ok(flawless === null || flawless === 'http://127.0.0.1:27288', String(flawless));
  });

  it('says that the address is taken', async () => {
    await using first = start();
    const { host } = new URL(String((await first.ready())['http']));
    const other = join(data, 'other');
    await using second = new CliProcess(['control-plane', '--data', other, '--http', host, '--json']);
    const { code, stderr } = await second.end();
    assert.notEqual(code, 0);
    assert.match(stderr, new RegExp(host));
  });
});

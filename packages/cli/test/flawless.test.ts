import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { binaries, CliProcess } from './fixtures/cli-process.ts';
import { runCommand } from './fixtures/fake-host.ts';

describe('flawless, an engine server on the command line', { timeout: 120_000 }, () => {
  let data: string;

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'mvm-ci-flawless-'));
  });

  afterEach(() => rmSync(data, { recursive: true }));

  const start = (...args: readonly string[]): CliProcess =>
    new CliProcess([...args, '--data', data, '--json'], { binary: binaries.flawless });

  it('says where it is in one line, answers, and ends with 0 after a signal', async () => {
    for (const [signal, verb, flag] of [
      ['SIGINT', [], '--http'],
      ['SIGTERM', ['up'], '--bind'],
    ] as const) {
      await using server = start(...verb, flag, '127.0.0.1:0', '--max-runs', '5');
      const { ready, http, pid } = await server.ready();
      assert.deepEqual([ready, typeof pid], ['flawless', 'number']);
      const status = (await (await fetch(`${String(http)}/readyz`)).json()) as Readonly<Record<string, unknown>>;
      assert.deepEqual([status['ready'], status['runs'], status['runsMax']], [true, 0, 5]);
      server.signal(signal);
      const { code, stderr } = await server.end();
      assert.equal(code, 0, stderr);
      assert.match(stderr, /the engine server is draining/);
    }
  });

  it('makes a token when it listens beyond loopback, and keeps it for the next start', async () => {
    const tokens = [];
    for (let round = 0; round < 2; round += 1) {
      await using server = start('--http', '0.0.0.0:0');
      const { http, tokenFile } = await server.ready();
      assert.equal(tokenFile, join(data, 'flawless.token'));
      const token = readFileSync(tokenFile, 'utf8').trim();
      const url = `http://127.0.0.1:${new URL(String(http)).port}/version`;
      assert.equal((await fetch(url)).status, 401);
      assert.equal((await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status, 200);
      tokens.push(token);
    }
    assert.equal(tokens[0], tokens[1]);
    assert.equal(statSync(join(data, 'flawless.token')).mode & 0o777, 0o600);
  });

  it('tells what a worker needs: an address for others to fill in, and the token', async () => {
    const tokenFile = join(data, 'flawless.token');
    for (const [args, settings] of [
      [['--http', '0.0.0.0:0'], `FLAWLESS_URL=http://HOST:PORT FLAWLESS_TOKEN="$(cat ${tokenFile})"`],
      [['--http', '127.0.0.1:0', '--token', 'mine'], 'FLAWLESS_URL=http://127.0.0.1:PORT FLAWLESS_TOKEN=…'],
      [['--http', '127.0.0.1:0'], 'FLAWLESS_URL=http://127.0.0.1:PORT'],
    ] as const) {
      await using server = new CliProcess([...args, '--data', data], { binary: binaries.flawless });
      let line = await server.line();
      while (line?.startsWith('Let a worker') === false) line = await server.line();
      assert.equal(line?.replace(/:\d+/, ':PORT'), `Let a worker use it: ${settings} npx worker --ticket …`);
    }
  });

  it('demands the token that it was given, also on loopback', async () => {
    await using server = start('--http', '127.0.0.1:0', '--token', 'mine');
    const url = `${String((await server.ready())['http'])}/version`;
    assert.equal((await fetch(url)).status, 401);
    assert.equal((await fetch(url, { headers: { authorization: 'Bearer mine' } })).status, 200);
  });

  it('says what is wrong with its arguments', async () => {
    await using first = start('--http', '127.0.0.1:0');
    const { host } = new URL(String((await first.ready())['http']));
    await using second = start('--http', host, '--jobs', 'off');
    const { code, stderr } = await second.end();
    assert.equal(code, 2);
    assert.match(stderr, /"CONFIG_INVALID".*EADDRINUSE/);
    for (const [args, rule] of [
      [['down'], /unknown command "down"/],
      [['--http', '27288x'], /it must be HOST:PORT/],
      [['--max-runs', '0'], /a whole number from 1 to 10000/],
      [['--http', 'off'], /give an address with --http/],
    ] as const) {
      const wrong = await runCommand(['flawless', ...args]);
      assert.equal(wrong.code, 2, args.join(' '));
      assert.match(wrong.stderr, rule);
    }
  });
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { binaries, CliProcess } from './fixtures/cli-process.ts';
import { childrenOf, ended } from './fixtures/linux-processes.ts';

/** An older Node of the system, when there is one. */
const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find(
  (path) => existsSync(path) && Number(execFileSync(path, ['-p', 'process.versions.node.split(".")[0]'])) < 26,
);
const needsOldNode = { skip: oldNode === undefined ? 'this machine has no Node older than 26' : false };

describe('runOnNode26', () => {
  it('runs the command line on this Node when it is new enough', async () => {
    await using help = new CliProcess(['--help']);
    const { code, stdout } = await help.end();
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: mvm-ci /);
  });

  it('makes "worker" the command of the other binary', async () => {
    await using help = new CliProcess(['--help'], { binary: binaries.worker });
    assert.match((await help.end()).stdout, /^Usage: mvm-ci worker /);
  });

  it('goes on with Node 26 when an older one started it, and hands on the exit code', needsOldNode, async () => {
    const options = { node: oldNode ?? '' };
    await using help = new CliProcess(['--help'], options);
    assert.equal((await help.end()).code, 0);
    await using wrong = new CliProcess(['stats', '--bogus'], options);
    assert.equal((await wrong.end()).code, 2);
  });

  it('hands signals on to the Node that does the work', needsOldNode, async () => {
    const data = mkdtempSync(join(tmpdir(), 'mvm-ci-node-'));
    const args = ['control-plane', '--data', data, '--http', '127.0.0.1:0', '--flawless', 'off', '--json'];
    await using plane = new CliProcess(args, { node: oldNode ?? '' });
    await plane.ready();
    plane.signal('SIGTERM');
    assert.equal((await plane.end()).code, 0);
    rmSync(data, { recursive: true });
  });

  it('takes the Node that does the work along when it is killed', needsOldNode, async () => {
    const data = mkdtempSync(join(tmpdir(), 'mvm-ci-node-'));
    const args = ['control-plane', '--data', data, '--http', '127.0.0.1:0', '--flawless', 'off', '--json'];
    await using plane = new CliProcess(args, { node: oldNode ?? '' });
    await plane.ready();
    const worker = await childrenOf(plane.pid);
    assert.equal(worker.length, 1);
    plane.signal('SIGKILL');
    await ended(worker);
    rmSync(data, { recursive: true });
  });
});

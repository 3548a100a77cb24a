import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { JobView, Published } from '@mvm-ci/protocol';
import { binaries, CliProcess } from './fixtures/cli-process.ts';
import { runCommand } from './fixtures/fake-host.ts';

const greeter = fileURLToPath(new URL('fixtures/greeter', import.meta.url));
const peerUrl = 'iroh+h3://control-plane';

describe('a worker without an engine of its own', { timeout: 120_000 }, () => {
  let folder: string;
  let plane: CliProcess;
  let url: string;
  let ticket: string;

  const start = async (...args: readonly string[]): Promise<void> => {
    plane = new CliProcess(['control-plane', '--data', folder, '--http', '127.0.0.1:0', '--json', ...args]);
    const ready = await plane.ready();
    [url, ticket] = [String(ready['http']), String(ready['ticket'])];
  };
  const command = async <T>(...args: readonly string[]): Promise<T> => {
    const { code, stdout, stderr } = await runCommand([...args, '--url', url, '--json']);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as T;
  };
  const worker = (): CliProcess =>
    new CliProcess(['--ticket', ticket, '--flawless-url', peerUrl, '--json'], { binary: binaries.worker });

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mvm-ci-engine-host-'));
    await start();
    await command('deploy', greeter);
  });

  after(async () => {
    await plane[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('has its jobs run by the control plane', async () => {
    await using one = worker();
    const { node } = await one.ready();
    const job = await command<JobView>('publish', 'greeter/greet', '--input', '{"name":"Ada"}', '--wait');
    assert.deepEqual([job.status, job.result, job.completed_by], ['completed', 'Hello, Ada!', node]);
  });

  it('has a job run and its result printed alone, also a second time', async () => {
    await using one = worker();
    await one.ready();
    for (let times = 0; times < 2; times += 1) {
      const args = ['run', 'greeter/greet', '--input', '{"name":"Eve"}', '--id', 'run-1', '--url', url];
      const { code, stdout, stderr } = await runCommand(args);
      assert.deepEqual([code, stdout, stderr], [0, '"Hello, Eve!"\n', 'job run-1\n']);
    }
    const failed = await runCommand(['run', 'greeter/greet', '--input', 'null', '--url', url]);
    assert.deepEqual([failed.code, failed.stdout], [1, '']);
    assert.match(failed.stderr, /the job is failed: WORKFLOW_FAILED: /);
  });

  it('claims nothing and says what to do when the control plane lends none', async () => {
    await plane[Symbol.asyncDispose]();
    await start('--engine', 'off');
    await using one = worker();
    await one.ready();
    const published = await command<Published>('publish', 'greeter/greet', '--input', '{"name":"Bob"}');
    await one.logged('start it with --engine on');
    assert.equal((await command<JobView>('status', published.job_id)).status, 'pending');
    one.signal('SIGTERM');
    assert.equal((await one.end()).code, 0);
  });
});

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { JobPage, JournalView, LogLine } from '@mvm-ci/client';
import type { DeployedModule, JobView, NodeView, Published, QueueStats } from '@mvm-ci/protocol';
import { binaries, CliProcess, type ProcessResult } from './fixtures/cli-process.ts';
import { runCommand, type CommandResult } from './fixtures/fake-host.ts';

const greeter = fileURLToPath(new URL('fixtures/greeter', import.meta.url));
const patience = { timeout: 120_000 };

describe('a cluster on the command line', patience, () => {
  let folder: string;
  let plane: CliProcess;
  let worker: CliProcess;
  let url: string;
  let ticket: string;
  let ready: Readonly<Record<string, unknown>>;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mvm-ci-cli-'));
    const data = join(folder, 'plane');
    plane = new CliProcess(['control-plane', '--data', data, '--http', '127.0.0.1:0', '--flawless', 'off', '--json']);
    ready = await plane.ready();
    [url, ticket] = [String(ready['http']), String(ready['ticket'])];
    worker = new CliProcess(['--ticket', ticket, '--name', 'first', '--json'], { binary: binaries.worker });
    assert.equal((await worker.ready())['name'], 'first');
    const deployed = await command('deploy', greeter);
    assert.equal(deployed.code, 0, deployed.stderr);
  });

  after(async () => {
    await worker[Symbol.asyncDispose]();
    await plane[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const command = (...args: readonly string[]): Promise<CommandResult> => runCommand([...args, '--url', url]);
  const json = async <T>(...args: readonly string[]): Promise<T> => {
    const { code, stdout, stderr } = await command(...args, '--json');
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as T;
  };

  it('says where it is in one line, and keeps the ticket in a file', () => {
    assert.deepEqual(
      [ready['ready'], typeof ready['node'], typeof ready['pid']],
      ['control-plane', 'string', 'number'],
    );
    const ticketFile = String(ready['ticketFile']);
    assert.equal(readFileSync(ticketFile, 'utf8').trim(), ticket);
    assert.equal(ticketFile, join(folder, 'plane', 'endpoint.ticket'));
  });

  it('publishes a job, waits for it and shows its result', async () => {
    const job = await json<JobView>('publish', 'greeter/greet', '--input', '{"name":"Ada"}', '--wait');
    assert.deepEqual([job.status, job.result], ['completed', 'Hello, Ada!']);
    const shown = await command('status', job.job_id);
    assert.match(shown.stdout, /^state +completed$/m);
    assert.match(shown.stdout, /^result +"Hello, Ada!"$/m);
    assert.match(shown.stdout, /^worker +first \([0-9a-f]{64}\)$/m);
    assert.doesNotMatch(shown.stdout, /runs after/);
    assert.match((await command('list')).stdout, new RegExp(`^${job.job_id} .* first `, 'm'));
  });

  it('answers probes with a line', async () => {
    for (const path of ['/healthz', '/readyz']) assert.match(await (await fetch(url + path)).text(), /^\{.*\}\n$/);
  });

  it('prints the id alone, so that a script can use it', async () => {
    const { stdout, stderr } = await command('publish', 'greeter/greet', '--input', '{"name":"Ada"}', '--id', 'once');
    assert.deepEqual([stdout, stderr], ['once\n', '']);
    const again = await command('publish', 'greeter/greet', '--input', '{"name":"Ada"}', '--id', 'once');
    assert.equal(again.stdout, 'once\n');
    assert.match(again.stderr, /this job was there already/);
    const other = await command('publish', 'greeter/greet', '--input', '{"name":"Bob"}', '--id', 'once');
    assert.match(other.stderr, /^error JOB_EXISTS: /);
  });

  it('reads an input from a file and from the standard input', async () => {
    const options = { stdin: '{"name":"Grace"}' };
    const args = ['publish', 'greeter/greet', '--input-file', '-', '--wait', '--json', '--url', url];
    const { stdout } = await runCommand(args, options);
    assert.equal(JSON.parse(stdout).result, 'Hello, Grace!');
  });

  it('shows a journal and a log, for people and for programs', async () => {
    const { job_id: id } = await json<JobView>('publish', 'greeter/greet', '--input', '{"name":"Ada"}', '--wait');
    const journal = await json<JournalView>('journal', id);
    assert.equal(journal.entries.at(0)?.kind, 'started');
    assert.equal(journal.entries.at(-1)?.kind, 'completed');
    assert.match((await command('journal', id)).stdout, /^0 +started /m);
    const [line] = await json<LogLine[]>('logs', id);
    assert.deepEqual([line?.level, line?.text], ['info', 'greeting Ada']);
    const followed = await command('logs', id, '--follow');
    assert.match(followed.stdout, /^\S+ \S+ {2}info {3}greeting Ada\n$/);
  });

  it('ends with 1 when the job that it waited for failed, and shows the error', async () => {
    const { code, stdout } = await command('publish', 'greeter/fail', '--wait');
    assert.equal(code, 1);
    assert.match(stdout, /^error +WORKFLOW_FAILED: .*as it was told/m);
  });

  it('cancels a running job', async () => {
    const { job_id: id } = await json<Published>('publish', 'greeter/linger');
    await json('cancel', id, '--reason', 'enough');
    assert.equal((await json<JobView>('status', id, '--wait')).status, 'cancelled');
  });

  it('lists and counts', async () => {
    await json('publish', 'greeter/greet', '--input', '{"name":"Ada"}', '--count', '3');
    const { jobs, next } = await json<JobPage>('list', '--limit', '2');
    assert.equal(jobs.length, 2);
    const rest = await json<JobPage>('list', '--limit', '2', '--after', String(next));
    assert.notEqual(rest.jobs[0]?.job_id, jobs[0]?.job_id);
    const stats = await json<QueueStats>('stats');
    assert.ok(stats.total >= 3);
    assert.equal(stats.workers, 1);
    assert.match((await command('list')).stdout, /^JOB +STATE +WORKFLOW/);
    const [module] = await json<DeployedModule[]>('modules');
    assert.deepEqual([module?.name, module?.workflows.toSorted()], ['greeter', ['fail', 'greet', 'linger']]);
    const [node] = await json<NodeView[]>('nodes');
    assert.equal(node?.name, 'first');
    assert.match((await command('nodes')).stdout, /^NODE +NAME +ROLE +STATE .*\n\w+ +first +worker +here /);
  });

  it('says which workflows there are when a wrong one is asked for', async () => {
    const module = await command('publish', 'nobody');
    assert.match(module.stderr, /^error MODULE_NOT_FOUND: .*\nList the modules/);
    const workflow = await command('publish', 'greeter/nothing');
    assert.match(workflow.stderr, /^error WORKFLOW_NOT_FOUND: .*greet/);
    assert.match((await command('status', 'nobody')).stderr, /^error JOB_NOT_FOUND: /);
  });

  it('builds a module file that deploys under another name', async () => {
    const out = join(folder, 'greeter@2.0.0.mvm');
    const built = await runCommand(['build', greeter, '--out', out, '--json']);
    assert.equal(JSON.parse(built.stdout).hash, (await json<DeployedModule[]>('modules'))[0]?.hash);
    assert.ok(statSync(out).size > 0);
    assert.equal((await json<DeployedModule>('deploy', out)).version, '2.0.0');
    assert.equal((await json<DeployedModule>('deploy', out, '--as', 'twin@1')).name, 'twin');
  });

  it('follows what changes', async () => {
    await using events = new CliProcess(['events', '--after', '0', '--url', url, '--json']);
    const first = JSON.parse((await events.line()) ?? '');
    assert.equal(typeof first.job_id, 'string');
    events.signal('SIGINT');
    assert.equal((await events.end()).code, 0);
  });

  it('gives back what a drained worker was running, and another worker goes on with it', async () => {
    await using second = new CliProcess(['worker', '--ticket', ticket, '--grace', '0', '--json']);
    const { node } = await second.ready();
    const ids = await publishMany();
    await runningAt(String(node));
    second.signal('SIGTERM');
    const { code, stderr }: ProcessResult = await second.end();
    assert.equal(code, 0, stderr);
    assert.match(stderr, /"end":"released"/);
    for (const id of ids) await json('cancel', id);
    for (const id of ids) assert.equal((await json<JobView>('status', id, '--wait')).lost_leases, 0);
  });

  it('ends at once at the second signal', async () => {
    await using second = new CliProcess(['worker', '--ticket', ticket, '--grace', '600', '--json']);
    const { node } = await second.ready();
    const ids = await publishMany();
    await runningAt(String(node));
    second.signal('SIGTERM');
    await second.logged('draining');
    second.signal('SIGTERM');
    assert.equal((await second.end()).code, 1);
    for (const id of ids) await json('cancel', id);
  });

  it('is the same node after a restart when it keeps its key', async () => {
    const args = ['worker', '--ticket', ticket, '--data', join(folder, 'node'), '--json'];
    const nodes = [];
    for (let start = 0; start < 2; start += 1) {
      await using process = new CliProcess(args);
      nodes.push((await process.ready())['node']);
      process.signal('SIGINT');
      assert.equal((await process.end()).code, 0);
    }
    assert.equal(nodes[0], nodes[1]);
    assert.equal(statSync(join(folder, 'node', 'node.key')).mode & 0o777, 0o600);
  });

  /** Publishes jobs that last, more than the first worker can take. */
  const publishMany = async (): Promise<readonly string[]> => {
    const published = await json<Published[]>('publish', 'greeter/linger', '--count', '20');
    return published.map((job) => job.job_id);
  };

  /** Waits until the worker `node` has begun a job. */
  const runningAt = async (node: string): Promise<void> => {
    await using events = new CliProcess(['events', '--after', '0', '--url', url, '--json']);
    for (let line = await events.line(); line !== undefined; line = await events.line()) {
      const job = JSON.parse(line);
      if (job.claimed_by === node && job.status === 'in_progress') return;
    }
  };
});

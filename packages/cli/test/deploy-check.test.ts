import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createClient, type Client } from '@mvm-ci/client';
import type { JobView } from '@mvm-ci/protocol';
import { Cluster } from '@mvm-ci/testkit';
import type { CheckReport } from '../src/deploy-check/checked-deploy.ts';
import type { ReplayView } from '../src/replay/replay-view.ts';
import { runCommand, type CommandResult } from './fixtures/fake-host.ts';

const old = `
import { log, receive, sleep } from '@mvm-ci/sdk';
/** Waits for a message; asked to, it sleeps first. */
export async function wait({ naps }: { naps: number }): Promise<string> {
  log.info('waiting');
  for (let i = 0; i < naps; i++) await sleep(1);
  const { data } = await receive('go');
  return \`v1 \${data}\`;
}
export async function gone(): Promise<unknown> { return (await receive('go')).data; }
export async function working(): Promise<void> { for (;;) await sleep(200); }
`;
/** Asks for the same until the message is there, unless it slept. */
const fresh = `
import { log, receive, sleep } from '@mvm-ci/sdk';
export async function wait({ naps }: { naps: number }): Promise<string> {
  log.info('waiting');
  if (naps > 0) await sleep(2);
  const { data } = await receive('go');
  return \`v2 \${data}\`;
}
export async function working(): Promise<void> { for (;;) await sleep(200); }
`;

/** `version` makes it another module. */
const talker = (version: number): string => `
import { log, receive, sleep } from '@mvm-ci/sdk';
export async function talk(steps: number): Promise<number> {
  for (let step = 0; step < steps; step++) {
    for (let line = 0; line < 100; line++) log.info('x'.repeat(8_000));
    await sleep(1);
  }
  await receive('go');
  return ${version};
}
`;

describe('deploying over live jobs', { timeout: 240_000 }, () => {
  let folder: string;
  let cluster: Cluster;
  let url: string;
  let client: Client;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mvm-ci-deploy-'));
    cluster = await Cluster.start({ workers: 1 });
    url = cluster.url;
    client = createClient({ url });
    const deployed = await command('deploy', source('old', old), '--as', 'waiter@1');
    assert.equal(deployed.code, 0, deployed.stderr);
    for (const [id, naps] of [
      ['straight', 0],
      ['napped', 2],
    ] as const)
      await client.publish({ job_id: id, workflow: 'waiter/wait', input: { naps } });
    await client.publish({ job_id: 'odd', workflow: 'waiter/gone' });
    for (const id of ['straight', 'napped', 'odd']) await waiting(id);
  });

  after(async () => {
    await cluster[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const source = (name: string, text: string): string => {
    mkdirSync(join(folder, 'src'), { recursive: true });
    const path = join(folder, 'src', `${name}.ts`);
    writeFileSync(path, text);
    return path;
  };
  const seen = async (isWanted: (job: JobView) => boolean): Promise<void> => {
    const signal = AbortSignal.timeout(60_000);
    for await (const job of client.events({ after: 0, signal })) if (isWanted(job)) return;
    assert.fail('no job came so far');
  };
  const waiting = (id: string): Promise<void> => seen((job) => job.job_id === id && job.status === 'waiting');
  const command = (...args: readonly string[]): Promise<CommandResult> => runCommand([...args, '--url', url]);
  const check = async (code: number, ...args: readonly string[]): Promise<CheckReport> => {
    const result = await command('deploy', source('fresh', fresh), '--check', '--json', ...args);
    assert.equal(result.code, code, result.stderr);
    return JSON.parse(result.stdout) as CheckReport;
  };
  const versions = async (): Promise<readonly string[]> => (await client.modules()).map(({ version }) => version);
  const runs = async (id: string): Promise<string | null> => (await client.status(id)).workflow;

  it('replays a live job and shows what it logs, without any effect', async () => {
    const { code, stdout } = await command('replay', 'napped');
    assert.equal(code, 0);
    assert.match(stdout, /info +waiting/);
    assert.match(stdout, /^verdict +compatible$/m);
    assert.match(stdout, /^replayed +\d+ entries, \d+ steps, in \d+ ms$/m);
  });

  it('replays it with another module, and tells where that leaves its journal', async () => {
    const { code, stdout } = await command('replay', 'napped', '--patch-module', source('fresh', fresh), '--json');
    const view = JSON.parse(stdout) as ReplayView;
    assert.deepEqual([code, view.compatible, view.divergence?.entry], [1, false, 1]);
    assert.equal(view.divergence?.recorded, 'sleep #1 of 1 ms');
    assert.equal(view.divergence?.asked, 'sleep #1 of 2 ms');
    assert.equal((await command('replay', 'straight', '--patch-module', source('fresh', fresh))).code, 0);
    assert.match((await command('replay', 'nobody')).stderr, /JOB_NOT_FOUND/);
  });

  it('deploys nothing when it is to abort and one job would diverge', async () => {
    const report = await check(1, '--as', 'waiter@2', '--then', 'abort');
    assert.deepEqual([report.jobs, report.compatible, report.on_workers, report.deployed], [3, 1, 3, false]);
    assert.deepEqual(report.diverging.map(({ job_id: id }) => id).sort(), ['napped', 'odd']);
    assert.deepEqual(await versions(), ['1']);
    const { stdout } = await command(
      'deploy',
      source('fresh', fresh),
      '--as',
      'waiter@2',
      '--check',
      '--then',
      'abort',
    );
    assert.match(stdout, /^napped +waiter@1\/wait +1 +sleep #1 of 1 ms +sleep #1 of 2 ms$/m);
    assert.match(stdout, /^odd +waiter@1\/gone +0 +workflow gone +one of wait, working$/m);
  });

  it('replays them in its own process when it is told to, or no worker is there', async () => {
    const report = await check(1, '--as', 'waiter@2', '--then', 'abort', '--local');
    assert.deepEqual([report.compatible, report.on_workers], [1, 0]);
  });

  it('leaves live jobs on their module unless it is told to move them', async () => {
    const report = await check(0, '--as', 'waiter@2');
    assert.deepEqual([report.policy, report.deployed, report.moved], ['pin', true, []]);
    assert.equal(await runs('straight'), 'waiter@1/wait');
    await client.publish({ job_id: 'later', workflow: 'waiter', input: { naps: 0 } });
    assert.equal(await runs('later'), 'waiter@2/wait');
  });

  it('moves the jobs that are compatible, which then go on with the new code', async () => {
    const report = await check(0, '--as', 'waiter@2', '--then', 'move');
    assert.deepEqual([report.moved, report.left], [['straight'], []]);
    assert.deepEqual([await runs('straight'), await runs('napped')], ['waiter@2/wait', 'waiter@1/wait']);
    for (const job of ['straight', 'napped', 'later']) await client.send(job, { type: 'go', data: 'there' });
    const results = await Promise.all(['straight', 'napped', 'later'].map((job) => client.wait(job)));
    assert.deepEqual(
      results.map((job: JobView) => job.result),
      ['v2 there', 'v1 there', 'v2 there'],
    );
  });

  it('replays a job that is over with the module that it ended with', async () => {
    for (const job of ['straight', 'napped']) assert.equal((await command('replay', job)).code, 0);
    const { stdout } = await command('replay', 'straight', '--json');
    const [latest] = await client.modules();
    assert.equal((JSON.parse(stdout) as ReplayView).module, latest?.hash);
  });

  it('leaves a job alone that a worker is running, and says so', async () => {
    await client.publish({ job_id: 'running', workflow: 'waiter@1/working' });
    const isRunning = ({ job_id: id, journal_entries: entries }: JobView): boolean => id === 'running' && entries > 3;
    await seen(isRunning);
    const report = await check(0, '--as', 'waiter@2', '--then', 'move');
    assert.deepEqual([report.compatible, report.moved, report.left], [1, [], [{ job_id: 'running', result: 'held' }]]);
    assert.equal(await runs('running'), 'waiter@1/working');
    await client.cancel('running');
  });

  it('has workers replay journals that they must read in parts, too', async () => {
    assert.equal((await command('deploy', source('talk', talker(1)), '--as', 'talker@1')).code, 0);
    const short = Array.from({ length: 20 }, (_, index) => `short-${index}`);
    await client.publishMany(short.map((id) => ({ job_id: id, workflow: 'talker', input: 0 })));
    // More than three parts of 4 MiB.
    await client.publish({ job_id: 'long', workflow: 'talker', input: 18 });
    for (const id of ['long', ...short]) await waiting(id);
    const { stdout } = await command('deploy', source('talk', talker(2)), '--as', 'talker@2', '--check', '--json');
    const { jobs, compatible, on_workers: onWorkers } = JSON.parse(stdout) as CheckReport;
    assert.deepEqual({ jobs, compatible, onWorkers }, { jobs: 21, compatible: 21, onWorkers: 21 });
  });

  it('takes --then with --check only', async () => {
    const { code, stderr } = await command('deploy', source('fresh', fresh), '--as', 'waiter@3', '--then', 'move');
    assert.equal(code, 2, stderr);
  });
});

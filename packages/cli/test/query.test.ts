import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createClient, type Client } from '@mvm-ci/client';
import type { JobState } from '@mvm-ci/protocol';
import { Cluster } from '@mvm-ci/testkit';
import { runCommand } from './fixtures/fake-host.ts';

const counter = `
import { log, progress, query, receive, respond, send, sleep } from '@mvm-ci/sdk';
export async function count(input: { nap: number }): Promise<number> {
  let total = 0;
  query('total', () => { total += 1000; log.info('asked'); return { total: total - 1000 }; });
  query<{ by: number }>('times', ({ by }) => total * by);
  query('nothing', () => undefined);
  query('throws', () => { throw new RangeError('too far'); });
  query('fetches', () => { fetch('http://localhost:1/').catch(() => {}); return 1; });
  query('hides', () => { try { void send('a', 'b'); progress(5); } catch {} return 1; });
  query('async', async () => { await sleep(1); return 1; });
  query('endless', () => { for (;;); });
  query('big', () => 1n);
  for (;;) {
    const message = await receive<number>(['add', 'end']);
    if (message?.type === 'end') return total;
    total += message?.data ?? 0;
    if (input.nap === 0) continue;
    respond(total);
    for (let naps = 0; naps < 4; naps += 1) await sleep(input.nap);
  }
}
`;

describe('a query', { timeout: 240_000 }, () => {
  let folder: string;
  let cluster: Cluster;
  let url: string;
  let client: Client;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mvm-ci-query-'));
    cluster = await Cluster.start({ workers: 1, slots: 1 });
    url = cluster.url;
    client = createClient({ url });
    const source = join(folder, 'counter.ts');
    writeFileSync(source, counter);
    const deployed = await runCommand(['deploy', source, '--as', 'counter@1', '--url', url]);
    assert.equal(deployed.code, 0, deployed.stderr);
    await client.publish({ job_id: 'sum', workflow: 'counter/count', input: { nap: 0 } });
    for (const number of [3, 4]) await client.send('sum', { type: 'add', data: number });
    await reaches('sum', 'waiting', 6);
  });

  after(async () => {
    await cluster[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  /** Waits until a job is in `state` with `entries` or more in its journal. */
  const reaches = async (id: string, state: JobState, entries = 0): Promise<void> => {
    const signal = AbortSignal.timeout(60_000);
    for await (const job of client.events({ after: 0, signal }))
      if (job.job_id === id && job.status === state && job.journal_entries >= entries) return;
    assert.fail(`job ${id} was never ${state}`);
  };
  const failure = (name: string, message: RegExp, code = 'QUERY_FAILED'): Promise<void> =>
    assert.rejects(client.query('sum', name), { code, message });

  it('is answered by a job that waits, from the variables that it has, and changes none of them', async () => {
    const journal = await client.journal('sum');
    for (let asked = 0; asked < 3; asked += 1) assert.deepEqual(await client.query('sum', 'total'), { total: 7 });
    assert.equal(await client.query('sum', 'times', { by: 3 }), 21);
    assert.equal(await client.query('sum', 'nothing'), null);
    assert.deepEqual(await client.journal('sum'), journal);
    assert.equal((await client.status('sum')).status, 'waiting');
    assert.deepEqual(await client.logs('sum'), []);
  });

  it('is answered while the job runs, also by a worker whose only slot the job has', async () => {
    await client.publish({ job_id: 'busy', workflow: 'counter/count', input: { nap: 900 } });
    await client.send('busy', { type: 'add', data: 5 });
    assert.deepEqual((await client.waitForResponse('busy')).response, { value: 5 });
    assert.equal((await client.status('busy')).status, 'in_progress');
    assert.deepEqual(await client.query('busy', 'total'), { total: 5 });
    assert.equal((await client.status('busy')).status, 'in_progress');
    await client.send('busy', { type: 'end' });
    assert.equal((await client.wait('busy')).result, 5);
  });

  it('fails by name when its handler throws, asks for something, is async, never ends or returns no JSON', async () => {
    await failure('throws', /query "throws": RangeError: too far/);
    await failure('fetches', /query "fetches": a query handler may only read: it asked for fetch/);
    await failure('hides', /query "hides": a query handler may only read: it asked for send/);
    await failure('async', /query "async": a query handler may only read: it asked for sleep/);
    await failure('endless', /query "endless": the handler does not end in time/);
    await failure('big', /query "big": TypeError/);
    await failure('totl', /no query "totl": it has total, times, nothing/, 'QUERY_NOT_FOUND');
    assert.deepEqual(await client.query('sum', 'total'), { total: 7 });
  });

  it('can be asked on the command line', async () => {
    const { code, stdout } = await runCommand(['query', 'sum', 'times', '{"by":2}', '--url', url]);
    assert.deepEqual([code, stdout.trim()], [0, '14']);
    const { stdout: json } = await runCommand(['query', 'sum', 'total', '--json', '--url', url]);
    assert.deepEqual(JSON.parse(json), { job_id: 'sum', query: 'total', value: { total: 7 } });
    const wrong = await runCommand(['query', 'nobody', 'total', '--url', url]);
    assert.match(wrong.stderr, /JOB_NOT_FOUND/);
  });

  it('is refused when the job is over', async () => {
    await client.send('sum', { type: 'end' });
    assert.equal((await client.wait('sum')).result, 7);
    await failure('total', /is completed and can't be asked any more/, 'INVALID_TRANSITION');
  });
});

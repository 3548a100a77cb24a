import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { startControlPlane, type ControlPlane } from '@mvm-ci/control';
import { listenHttp } from '@mvm-ci/net';
import { chainHash, chainStart, encodeEntry, encodeModule } from '@mvm-ci/protocol';
import { runCommand, type CommandResult } from './fixtures/fake-host.ts';

const headers = { 'content-type': 'application/json' };
const code = new Uint8Array();
const file = encodeModule({ kind: 'javascript', runtime: 'r', workflows: ['main'], code, sourceMap: code });

describe('mvm-ci journal verify', { timeout: 120_000 }, () => {
  const data = mkdtempSync(join(tmpdir(), 'mvm-ci-verify-'));
  let plane: ControlPlane;

  const start = async (): Promise<void> => {
    plane = await startControlPlane({
      data,
      http: { port: 0 },
      peer: { bind: ['127.0.0.1:0'] },
      admit: (module) => Promise.resolve({ workflows: module.workflows }),
    });
  };
  const post = async (path: string, body: unknown): Promise<void> => {
    const answer = await fetch(`${plane.httpUrl}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    assert.equal(answer.status, 200, await answer.text());
  };
  const verify = (...args: readonly string[]): Promise<CommandResult> =>
    runCommand(['journal', 'verify', ...args, '--url', plane.httpUrl]);

  before(async () => {
    await start();
    const octets = { 'content-type': 'application/octet-stream' };
    const modules = `${plane.httpUrl}/modules?name=flow&version=1`;
    const deployed = await fetch(modules, { method: 'POST', headers: octets, body: new Uint8Array(file) });
    assert.equal(deployed.status, 200, await deployed.text());
    for (const id of ['one', 'two']) await post('/queue/publish', { job_id: id, workflow: 'flow' });
    await post('/peer/claim', { worker: 'w', incarnation: 'i', capacity: 2 });
    const appends = ['one', 'two'].map((job) => {
      const bytes = encodeEntry({ kind: 'intents', intents: [{ type: 'log', level: 'info', text: 'a line' }] });
      const batch = { firstSeq: 0, count: 1, bytes };
      const hash = chainHash(chainStart(job, 1), batch).toBase64();
      return { job, epoch: 1, attempt: 1, ...batch, bytes: bytes.toBase64(), hash };
    });
    await post('/peer/append', { worker: 'w', appends });
  });

  after(async () => {
    await plane.stop();
    rmSync(data, { recursive: true });
  });

  it('finds nothing wrong with what was written', async () => {
    const all = await verify('--all');
    assert.equal(all.code, 0, all.stderr);
    assert.match(all.stdout, /one +1 +1 +ok/);
    assert.match(all.stderr, /2 jobs checked, 0 damaged/);
    assert.equal((await verify('one')).code, 0);
  });

  it('wants to know which jobs, and names one that there is not', async () => {
    for (const args of [[], ['one', '--all']]) assert.equal((await verify(...args)).code, 2);
    assert.match((await verify('nobody')).stderr, /JOB_NOT_FOUND/);
  });

  it('passes over a job that is forgotten while others are checked', async () => {
    const forgotten = { error: { code: 'JOB_NOT_FOUND', message: 'no job has the id "two"', details: {} } };
    const server = await listenHttp({
      host: '127.0.0.1',
      port: 0,
      fetch: ({ url }) => {
        const { pathname, search } = new URL(url);
        if (pathname === '/queue/status/two') return Promise.resolve(Response.json(forgotten, { status: 404 }));
        return fetch(`${plane.httpUrl}${pathname}${search}`);
      },
    });
    const all = await runCommand(['journal', 'verify', '--all', '--url', server.url]);
    await server.stop(0);
    assert.equal(all.code, 0, all.stderr);
    assert.match(all.stderr, /1 jobs checked, 0 damaged/);
  });

  it('finds the job of which one byte was changed, and only that', async () => {
    await plane.stop();
    const db = new DatabaseSync(join(data, 'control.db'));
    const row = db.prepare("SELECT number FROM jobs WHERE id = 'two'").get();
    const bytes = db.prepare('SELECT bytes FROM journal WHERE job = ?').get(row?.['number'] ?? 0)?.['bytes'];
    assert.ok(bytes instanceof Uint8Array);
    bytes[bytes.length - 1] = 0x21;
    db.prepare('UPDATE journal SET bytes = ? WHERE job = ?').run(bytes, row?.['number'] ?? 0);
    db.close();
    await start();
    const all = await verify('--all');
    assert.equal(all.code, 1);
    assert.match(all.stdout, /two +1 +1 +JOURNAL_CORRUPT: .*entry 0 is damaged/);
    assert.doesNotMatch(all.stdout, /^one/m);
    assert.match(all.stderr, /2 jobs checked, 1 damaged/);
  });
});

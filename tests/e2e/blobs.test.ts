/** Bodies that are too large for a journal, through all layers, with real processes: none of them ever holds one whole. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { beginBlake3, blobRefSchema } from '@mvm-ci/protocol';
import type { EngineOption, ReadyProcess } from '@mvm-ci/testkit';
import { BlobServer, bodyOf } from './blob-server.ts';
import { mvmCi } from './command.ts';
import { Scene } from './scene.ts';

const deadlineMs = 120_000;
const mib = 160;
/** What a process may grow by while a body of `mib` MiB goes through it: a few parts, and what is not yet collected. */
const growthMibMax = 96;

/** The most memory that a process has had since `forgetPeak`, in MiB. */
const peakMib = ({ pid }: ReadyProcess): number => {
  const [, kib = ''] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) / 1_024;
};

const forgetPeak = ({ pid }: ReadyProcess): void => writeFileSync(`/proc/${pid}/clear_refs`, '5');

const hashOf = async (stream: ReadableStream<Uint8Array>): Promise<string> => {
  const hash = await beginBlake3();
  for await (const bytes of stream) hash.update(bytes);
  return hash.digest();
};

describe('a large body', () => {
  it('goes into a blob and out of it again while every process stays small', { timeout: deadlineMs }, async (t) => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using server = await BlobServer.start();
    await using scene = await Scene.start({ workers: 1 });
    await scene.deploy('blobs');
    const run = async (size: number): Promise<unknown> => {
      const input = { from: `${server.url}/${size}`, to: `${server.url}/in` };
      const [id = ''] = await scene.publish([{ job_id: `carry-${size}`, workflow: 'blobs/carry', input }]);
      return (await scene.ended(id, signal)).result;
    };
    // What it takes to run at all is there before it is measured.
    await run(4);
    const processes = [scene.cluster.controlPlane, ...scene.cluster.workers];
    for (const one of processes) forgetPeak(one);
    const before = processes.map(peakMib);
    const { hash, bytes } = await bodyOf(mib);

    assert.deepEqual(await run(mib), { hash, size: bytes, type: 'video/mp4' });
    const grown = processes.map((one, index) => peakMib(one) - (before[index] ?? 0));
    t.diagnostic(`${mib} MiB: control plane and worker grew by ${grown.map(Math.round).join(' and ')} MiB`);
    for (const growth of grown) assert.ok(growth < growthMibMax, `a process grew by ${growth} MiB`);

    assert.deepEqual(server.arrived.at(-1), { hash, bytes });
    assert.equal(await hashOf(await scene.client.blob(hash)), hash);
    const journal = await scene.client.journalBatches(`carry-${mib}`);
    assert.ok(journal.batches.reduce((sum, batch) => sum + batch.bytes.length, 0) < 4_096);
  });

  it('is fetched again by the next worker when the first dies in the middle', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    await using server = await BlobServer.start();
    server.holdAt = 8 * 1_048_576;
    await using scene = await Scene.start({ workers: 1 });
    await scene.deploy('blobs');
    const [id = ''] = await scene.publish([{ workflow: 'blobs/carry', input: { from: `${server.url}/16` } }]);
    await server.held;
    const [victim] = scene.cluster.workers;
    assert.ok(victim);
    await scene.cluster.removeWorker(victim);
    server.release();
    await scene.cluster.addWorker();

    const { hash, bytes } = await bodyOf(16);
    assert.deepEqual((await scene.ended(id, signal)).result, { hash, size: bytes, type: 'video/mp4' });
    assert.equal(server.requests, 2);
  });

  it('is put and got by the command line, over HTTP and by a ticket', async () => {
    const signal = AbortSignal.timeout(deadlineMs);
    const folder = await mkdtemp(join(tmpdir(), 'mvm-ci-blobs-'));
    await using undo = new AsyncDisposableStack();
    undo.defer(() => rm(folder, { recursive: true }));
    await using scene = await Scene.start({ workers: 0 });
    const file = join(folder, 'in');
    await writeFile(file, new Uint8Array(20 * 1_048_576).fill(7));
    const { ticket } = await scene.client.createTicket({ role: 'publisher' });
    const ways = [
      ['--url', scene.cluster.url],
      ['--ticket', ticket, '--client-data', join(folder, 'keys')],
    ];
    for (const [index, way] of ways.entries()) {
      const put = await mvmCi(['blob', 'put', file, '--json', ...way], signal);
      assert.equal(put.code, 0, put.stderr);
      const { hash, bytes } = blobRefSchema.parse(JSON.parse(put.stdout));
      assert.equal(bytes, 20 * 1_048_576);
      const copy = join(folder, `out-${index}`);
      const got = await mvmCi(['blob', 'get', hash, copy, ...way], signal);
      assert.equal(got.code, 0, got.stderr);
      assert.ok((await readFile(copy)).equals(await readFile(file)));
    }
  });

  for (const engine of ['peer', 'remote', 'pool'] satisfies EngineOption[])
    it(`goes through an engine of the place "${engine}" into a blob, and out again`, async () => {
      const signal = AbortSignal.timeout(deadlineMs);
      await using server = await BlobServer.start();
      await using scene = await Scene.start({ engine, workers: 1 });
      await scene.deploy('blobs');
      const input = { from: `${server.url}/9`, to: `${server.url}/in` };
      const [id = ''] = await scene.publish([{ workflow: 'blobs/carry', input }]);
      const { hash, bytes } = await bodyOf(9);
      assert.deepEqual((await scene.ended(id, signal)).result, { hash, size: bytes, type: 'video/mp4' });
      assert.deepEqual(server.arrived, [{ hash, bytes }]);
      assert.equal(await hashOf(await scene.client.blob(hash)), hash);
    });
});

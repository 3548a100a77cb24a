/** Blobs of a run in an engine server over HTTP: they are the holder's, as those of an engine in the worker are. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { after, before, beforeEach, describe, it } from 'node:test';
import { networkFetch, openEngine, systemRandom } from '@mvm-ci/engine';
import { systemClock } from '@mvm-ci/net';
import { encodeModule, moduleHash, type FinishOutcome, type ModuleFile } from '@mvm-ci/protocol';
import { HeldAttempt, workflowModule } from '@mvm-ci/testkit';
import { embeddedHost } from '../../src/engine-hosts/embedded.ts';
import { HttpLink } from '../fixtures/link-server.ts';
import { MemoryBlobs } from '../fixtures/memory-blobs.ts';

const mib = 1_048_576;
const bodyBytes = 9 * mib + 5;

/** Fetches a large body into a blob, and sends it out again. */
const carry: ModuleFile = workflowModule(`
  const got = await get(input + '/large', { into: 'blob' });
  if (got.error) return got.error;
  const { hash, bytes } = got.fetched.blob;
  const sent = await get(input + '/in', { method: 'PUT', bodyBlob: hash });
  return { hash, bytes, arrived: sent.error ?? sent.fetched.status };`);

describe('blobs over a link', { timeout: 120_000 }, () => {
  let server: Server;
  let url: string;
  let blobs: MemoryBlobs;
  let requests: string[];
  let arrived: number;

  before(async () => {
    server = createServer((request, response) => {
      requests.push(`${request.method} ${request.url}`);
      if (request.url === '/large') return void response.end(Buffer.alloc(bodyBytes, 'abc'));
      if (request.url === '/endless') return void response.write(Buffer.alloc(3 * mib));
      request.on('data', (bytes: Buffer) => (arrived += bytes.length));
      request.on('end', () => response.end());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    url = typeof address === 'object' && address ? `http://127.0.0.1:${address.port}` : '';
  });

  beforeEach(() => {
    blobs = new MemoryBlobs();
    requests = [];
    arrived = 0;
  });

  after(() => {
    server.close();
    server.closeAllConnections();
  });

  /** What an engine in the worker makes of it. */
  const embedded = async (store: MemoryBlobs): Promise<FinishOutcome | undefined> => {
    const file = encodeModule(carry);
    const engine = await openEngine({
      modules: async () => file,
      performer: networkFetch(store),
      clock: systemClock,
      random: systemRandom,
      threads: 1,
    });
    await using host = embeddedHost(engine);
    const claimed = { job: 'a', epoch: 1, attempt: 1, module: moduleHash(file), workflow: 'main', journalEntries: 0 };
    const attempt = new HeldAttempt({ ...claimed, input: JSON.stringify(url) });
    await host.run(attempt.claimed, attempt).ended;
    return attempt.outcome;
  };

  it('are kept where those of an engine in the worker are, and come from there', async () => {
    await using link = await HttpLink.open({ blobs });
    const { attempt, run } = link.begin('a', carry, { input: url });
    await run.ended;
    const own = new MemoryBlobs();
    assert.deepEqual(attempt.outcome, await embedded(own));
    assert.deepEqual(blobs.kept, own.kept);
    assert.equal([...blobs.kept.values()][0]?.length, bodyBytes);
    assert.equal(arrived, 2 * bodyBytes, 'both have sent it on');
  });

  it('tell the workflow why one could not be kept or read', async () => {
    await using link = await HttpLink.open({ blobs });
    blobs.bytesMax = 2 * mib;
    const { attempt, run } = link.begin('a', carry, { input: url });
    await run.ended;
    assert.equal(attempt.outcome?.type, 'completed');
    assert.match(JSON.stringify(attempt.outcome), /PAYLOAD_TOO_LARGE/);

    const reading = workflowModule(`return get(input + '/in', { method: 'PUT', bodyBlob: '${'ab'.repeat(32)}' });`);
    const second = link.begin('b', reading, { input: url });
    await second.run.ended;
    assert.match(JSON.stringify(second.attempt.outcome), /BLOB_NOT_FOUND/);
    assert.deepEqual(requests, ['GET /large']);
  });

  it('are given up when the run is over, and when the workflow wants one no more', async () => {
    await using link = await HttpLink.open({ blobs });
    const endless = (end: string): ModuleFile =>
      workflowModule(`const got = get(input + '/endless', { into: 'blob', timeoutMs: 600000 }); ${end}`);
    const { run } = link.begin('a', endless('return await got;'), { input: url });
    while (!requests.includes('GET /endless')) await systemClock.nextTurn();
    run.cancel('enough');
    await run.ended;
    await blobs.failed();

    blobs.failures.length = 0;
    const late = link.begin('b', endless('return "done";'), { input: url });
    await late.run.ended;
    assert.equal(blobs.kept.size, 0);
  });

  it('are refused, unsent, where one of the ends is of a release that knows of none', async () => {
    await using link = await HttpLink.open({ blobs, isPlain: true });
    const { attempt, run } = link.begin('a', carry, { input: url });
    assert.equal((await run.ended).type, 'finished');
    assert.match(JSON.stringify(attempt.outcome), /this engine has no blobs/);
    assert.deepEqual([requests, blobs.kept.size], [[], 0]);
    assert.ok(!link.said.some(({ type }) => type === 'blob'));
  });
});

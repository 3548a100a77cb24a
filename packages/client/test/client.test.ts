import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createClient, type Client } from '../src/client.ts';
import { jobView, refused, ScriptedServer } from './fixtures/scripted-server.ts';

const url = 'http://control.test:3020/';
const published = { job_id: 'j1', status: 'pending', created: true };

describe('createClient', () => {
  const clientOf = (server: ScriptedServer, token?: string): Client =>
    createClient({ url, fetch: server.fetch, ...(token && { token }) });

  it('publishes under an id of its own, and repeats with the same one when nobody answered', async () => {
    const server = new ScriptedServer(refused(), published);
    assert.deepEqual(await clientOf(server).publish({ workflow: 'w' }), published);
    const [first, second] = server.seen.map(({ body }) => body as { job_id: string });
    assert.match(first?.job_id ?? '', /^[0-9a-f]{32}$/);
    assert.equal(second?.job_id, first?.job_id);
  });

  it('keeps the id that the caller chose', async () => {
    const server = new ScriptedServer({ jobs: [published] });
    await clientOf(server).publishMany([{ workflow: 'w', job_id: 'mine' }]);
    assert.deepEqual(server.seen[0]?.body, { jobs: [{ workflow: 'w', job_id: 'mine' }] });
  });

  it('says which control plane can not be reached, after a few tries', async () => {
    const server = new ScriptedServer(refused(), refused(), refused(), refused(), refused());
    await assert.rejects(clientOf(server).stats(), {
      code: 'CONNECTION_LOST',
      message: 'no control plane answers at http://control.test:3020: connect ECONNREFUSED 127.0.0.1:1',
    });
    assert.equal(server.seen.length, 4);
  });

  it('turns a refusal into its error, and does not ask again', async () => {
    const error = { code: 'JOB_NOT_FOUND', message: 'no job has the id "x"', details: { id: 'x' } };
    const server = new ScriptedServer(Response.json({ error }, { status: 404 }));
    await assert.rejects(clientOf(server).status('x'), error);
    assert.equal(server.seen.length, 1);
  });

  it('says when something else answers at the URL', async () => {
    const page = (): Response => new Response('<html>', { status: 404 });
    await assert.rejects(clientOf(new ScriptedServer(page())).stats(), { code: 'INTERNAL' });
    await assert.rejects(
      clientOf(new ScriptedServer({ hello: 'world' })).stats(),
      /does not answer like a control plane/,
    );
  });

  it('sends the token when it has one', async () => {
    const server = new ScriptedServer([], []);
    await clientOf(server, 'secret').modules();
    await clientOf(server).modules();
    assert.deepEqual(
      server.seen.map(({ headers }) => headers.get('authorization')),
      ['Bearer secret', null],
    );
  });

  it('waits until a job is over, one long poll after another', async () => {
    const server = new ScriptedServer(jobView(1, 'in_progress'), jobView(2, 'in_progress'), jobView(3, 'failed'));
    assert.equal((await clientOf(server).wait('j1')).status, 'failed');
    assert.ok(server.seen.every(({ path }) => path === '/queue/status/j1?wait_ms=30000'));
  });

  it('lists page by page', async () => {
    const server = new ScriptedServer(Response.json([jobView(1, 'pending')], { headers: { 'x-next': '17' } }), []);
    const client = clientOf(server);
    const first = await client.list({ state: 'pending', limit: 1 });
    assert.deepEqual([first.jobs.length, first.next], [1, '17']);
    const last = await client.list({ state: 'pending', limit: 1, after: '17' });
    assert.deepEqual([last.jobs, last.next], [[], undefined]);
    assert.equal(server.seen[1]?.path, '/queue/list?state=pending&limit=1&after=17');
  });

  it('uploads a module as it is', async () => {
    const deployed = {
      name: 'w',
      version: '1.0.0',
      hash: 'ab',
      kind: 'javascript',
      runtime: 'r',
      workflows: ['w'],
      bytes: 3,
      deployed_at_ms: 1,
    };
    const server = new ScriptedServer(deployed);
    const file = new Uint8Array([1, 2, 3]);
    assert.deepEqual(await clientOf(server).deploy({ name: 'w', version: '1.0.0', file }), deployed);
    const [request] = server.seen;
    assert.equal(request?.path, '/modules?name=w&version=1.0.0');
    assert.deepEqual([request?.headers.get('content-type'), request?.body], ['application/octet-stream', file]);
  });

  it('reads a journal of many pages whole, and of one attempt', async () => {
    const page = (from: number, count: number): object => ({
      job_id: 'j1',
      attempt: 2,
      entries: Array.from({ length: count }, (_, index) => ({ seq: from + index, kind: 'intents', intents: [] })),
    });
    const server = new ScriptedServer(page(0, 10_000), page(10_000, 5));
    const { entries } = await clientOf(server).journal('j1');
    assert.deepEqual([entries.length, entries.at(-1)?.seq], [10_005, 10_004]);
    assert.equal(server.seen[1]?.path, '/queue/journal/j1?attempt=2&from=10000&limit=10000');
  });

  it('gives up when its caller does', async () => {
    const stop = new AbortController();
    const client = createClient({
      url,
      fetch: (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(new Error('aborted')));
          stop.abort();
        }),
    });
    await assert.rejects(client.wait('j1', { signal: stop.signal }), { code: 'CANCELLED' });
  });

  it('refuses a URL that is none', () => {
    assert.throws(() => createClient({ url: 'localhost:3020' }), { code: 'INVALID_ARGUMENT' });
  });
});

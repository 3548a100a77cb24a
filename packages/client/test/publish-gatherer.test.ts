import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { asMvmError, type PublishJob } from '@mvm-ci/protocol';
import { createClient } from '../src/client.ts';
import type { Fetch } from '../src/connection.ts';
import { clientLimits } from '../src/limits.ts';
import { refused, ScriptedServer } from './fixtures/scripted-server.ts';

const url = 'http://control.test:3020';
const job = (id: string): PublishJob => ({ job_id: id, payload: 1 });
const stored = (id: string): object => ({ job_id: id, status: 'pending', created: true });
const refusal = (code: string, status: number): Response =>
  Response.json({ error: { code, message: 'no' } }, { status });

/** Holds every request until it is let go, and stores all that comes. */
class SlowServer {
  readonly sizes: number[] = [];
  readonly #gates: (() => void)[] = [];
  #arrival = Promise.withResolvers<void>();

  readonly fetch: Fetch = async (_url, { body }) => {
    const sent: PublishJob & { readonly jobs?: readonly PublishJob[] } = JSON.parse(
      typeof body === 'string' ? body : '',
    );
    const { jobs = [sent] } = sent;
    this.sizes.push(jobs.length);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gates.push(resolve);
    this.#arrival.resolve();
    await promise;
    const answers = jobs.map(({ job_id: id = '' }) => stored(id));
    return Response.json(sent.jobs === undefined ? answers[0] : { jobs: answers });
  };

  async requests(count: number): Promise<void> {
    while (this.sizes.length < count) {
      await this.#arrival.promise;
      this.#arrival = Promise.withResolvers<void>();
    }
  }

  letGo(): void {
    for (const open of this.#gates.splice(0)) open();
  }
}

describe('publish', () => {
  it('sends what is asked for in one turn together, and answers each caller', async () => {
    const server = new ScriptedServer({ jobs: ['a', 'b', 'c'].map(stored) });
    const client = createClient({ url, fetch: server.fetch });
    const answers = await Promise.all(['a', 'b', 'c'].map((id) => client.publish(job(id))));
    assert.deepEqual(answers, ['a', 'b', 'c'].map(stored));
    assert.deepEqual(
      server.seen.map(({ path, body }) => [path, body]),
      [['/queue/publish-many', { jobs: ['a', 'b', 'c'].map(job) }]],
    );
  });

  it('keeps what comes meanwhile until one of the requests is answered', async () => {
    const server = new SlowServer();
    const client = createClient({ url, fetch: server.fetch });
    const answers: Promise<unknown>[] = [];
    for (let request = 1; request <= clientLimits.publishRequestsMax; request += 1) {
      answers.push(client.publish(job(`first-${request}`)));
      await server.requests(request);
    }
    for (let late = 0; late < 5; late += 1) answers.push(client.publish(job(`late-${late}`)));
    server.letGo();
    await server.requests(clientLimits.publishRequestsMax + 1);
    server.letGo();
    await Promise.all(answers);
    assert.deepEqual(server.sizes, [...Array.from({ length: clientLimits.publishRequestsMax }, () => 1), 5]);
  });

  it('sends no more together than the control plane takes', async () => {
    const server = new SlowServer();
    const client = createClient({ url, fetch: server.fetch });
    const count = clientLimits.publishTogetherMax + 1;
    const all = Promise.all(Array.from({ length: count }, (_, index) => client.publish(job(`j${index}`))));
    await server.requests(1);
    server.letGo();
    await server.requests(2);
    server.letGo();
    assert.equal((await all).length, count);
    assert.deepEqual(server.sizes, [clientLimits.publishTogetherMax, 1]);
  });

  it('does not put long jobs together', async () => {
    const server = new SlowServer();
    const client = createClient({ url, fetch: server.fetch });
    const payload = 'x'.repeat(clientLimits.publishTogetherChars);
    const all = Promise.all([client.publish({ payload }), client.publish({ payload })]);
    await server.requests(1);
    server.letGo();
    await server.requests(2);
    server.letGo();
    await all;
    assert.deepEqual(server.sizes, [1, 1]);
  });

  it('looks for the job that was refused, and publishes the others', async () => {
    const ids = ['a', 'bad', 'c'];
    const server = new ScriptedServer(
      refusal('JOB_EXISTS', 409),
      stored('a'),
      refusal('JOB_EXISTS', 409),
      refusal('JOB_EXISTS', 409),
      stored('c'),
    );
    const client = createClient({ url, fetch: server.fetch });
    const outcomes = await Promise.allSettled(ids.map((id) => client.publish(job(id))));
    assert.deepEqual(
      outcomes.map((one) => (one.status === 'fulfilled' ? one.value.job_id : asMvmError(one.reason).code)),
      ['a', 'JOB_EXISTS', 'c'],
    );
    assert.equal(server.seen.length, 5);
  });

  it('asks no more for a queue that has no room, and goes on with the others', async () => {
    const full = (): Response => refusal('QUEUE_FULL', 429);
    const server = new ScriptedServer(full(), full(), stored('a'), full(), stored('other'));
    const client = createClient({ url, fetch: server.fetch });
    const jobs = [job('a'), job('b'), job('c'), { ...job('other'), queue: 'other' }];
    const outcomes = await Promise.allSettled(jobs.map((one) => client.publish(one)));
    assert.deepEqual(
      outcomes.map((one) => (one.status === 'fulfilled' ? one.value.job_id : asMvmError(one.reason).code)),
      ['a', 'QUEUE_FULL', 'QUEUE_FULL', 'other'],
    );
    assert.deepEqual(
      server.seen.map(({ body }) => JSON.stringify(body).match(/"job_id":"\w+"/g)?.length),
      [4, 2, 1, 1, 1],
    );
  });

  it('tells all of them when nobody answers, or nobody is let in', async () => {
    const gone = new ScriptedServer(...Array.from({ length: clientLimits.triesMax }, refused));
    const closed = new ScriptedServer(refusal('UNAUTHENTICATED', 401));
    for (const [server, code] of [
      [gone, 'CONNECTION_LOST'],
      [closed, 'UNAUTHENTICATED'],
    ] as const) {
      const client = createClient({ url, fetch: server.fetch });
      const outcomes = await Promise.allSettled(['a', 'b'].map((id) => client.publish(job(id))));
      assert.deepEqual(
        outcomes.map((one) => one.status === 'rejected' && asMvmError(one.reason).code),
        [code, code],
      );
    }
  });

  it('keeps a job in a trace of its own, or with a signal, out of the others', async () => {
    const server = new ScriptedServer(stored('traced'), stored('a'));
    const client = createClient({ url, fetch: server.fetch });
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await Promise.all([client.publish(job('traced'), { traceparent }), client.publish(job('a'))]);
    assert.deepEqual(
      server.seen.map(({ path, headers }) => [path, headers.get('traceparent')]),
      [
        ['/queue/publish', traceparent],
        ['/queue/publish', null],
      ],
    );
  });

  it('refuses what is no JSON to its own caller alone', async () => {
    const server = new ScriptedServer(stored('a'));
    const client = createClient({ url, fetch: server.fetch });
    const [bad, good] = await Promise.allSettled([client.publish({ payload: 1n }), client.publish(job('a'))]);
    assert.equal(bad.status, 'rejected');
    assert.equal(good.status, 'fulfilled');
  });
});

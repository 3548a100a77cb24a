import { limits } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { column, firstBatch, moduleFile, startedEntry, TestPlane } from './test-plane.ts';

const publish = (plane: TestPlane, body: unknown): ReturnType<TestPlane['call']> =>
  plane.call('POST', '/queue/publish', { body });

suite("the seed's routes", () => {
  test('publish, claim, report and look, as its clients do', async () => {
    await using plane = await TestPlane.open();
    const published = await publish(plane, { job_id: 'job-1', payload: { id: 1, url: 'http://example.test/' } });
    assert.deepEqual([published.status, published.body], [200, { job_id: 'job-1', status: 'pending', created: true }]);
    const claimed = await plane.call('POST', '/queue/claim', { body: { any: 'thing' } });
    assert.equal(claimed.body.job_id, 'job-1');
    assert.deepEqual(claimed.body.payload, { id: 1, url: 'http://example.test/' });
    assert.equal((await plane.call('POST', '/queue/claim')).status, 204);
    for (const status of ['InProgress', 'in_progress', 'Completed', 'completed']) {
      assert.equal(
        (await plane.call('POST', '/queue/status/job-1', { body: { status, result: { pages: 3 } } })).status,
        200,
      );
    }
    const job = (await plane.call('GET', '/queue/status/job-1')).body;
    assert.deepEqual([job.status, job.result, job.completed_by], ['completed', { pages: 3 }, 'operator']);
    const stats = (await plane.call('GET', '/queue/stats')).body;
    assert.deepEqual(
      [stats.pending, stats.claimed, stats.in_progress, stats.completed, stats.failed, stats.total],
      [0, 0, 0, 1, 0, 1],
    );
    assert.deepEqual((await plane.call('GET', '/queue/list')).body, [job]);
  });

  test('refuse a state that is none, an unknown job, and a report after the bare lease', async () => {
    await using plane = await TestPlane.open();
    const unknown = await plane.call('POST', '/queue/status/nowhere', { body: { status: 'Completed' } });
    assert.deepEqual([unknown.status, unknown.body.error.code], [404, 'JOB_NOT_FOUND']);
    await publish(plane, { job_id: 'a', payload: 1 });
    await plane.call('POST', '/queue/claim');
    const odd = await plane.call('POST', '/queue/status/a', { body: { status: 'Done' } });
    assert.deepEqual([odd.status, odd.body.error.code], [400, 'INVALID_ARGUMENT']);
    const before = plane.core.feed.latest;
    plane.clock.advance(plane.core.periods.bareLeaseMs + 1_000);
    await plane.changed(before);
    const late = await plane.call('POST', '/queue/status/a', { body: { status: 'Completed' } });
    assert.deepEqual([late.status, late.body.error.code], [409, 'INVALID_TRANSITION']);
  });
});

suite('publish', () => {
  test('makes an id when there is none, and is idempotent by the one that there is', async () => {
    await using plane = await TestPlane.open();
    const made = await publish(plane, { payload: 1 });
    assert.match(String(made.body.job_id), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    await publish(plane, { job_id: 'a', payload: 1 });
    assert.deepEqual((await publish(plane, { job_id: 'a', payload: 1 })).body, {
      job_id: 'a',
      status: 'pending',
      created: false,
    });
    const taken = await publish(plane, { job_id: 'a', payload: 2 });
    assert.deepEqual([taken.status, taken.body.error.code], [409, 'JOB_EXISTS']);
  });

  test('pins a workflow job to the module that is deployed now', async () => {
    await using plane = await TestPlane.open();
    const none = await publish(plane, { workflow: 'crawler' });
    assert.deepEqual([none.status, none.body.error.code], [404, 'MODULE_NOT_FOUND']);
    await plane.deploy('crawler', moduleFile(['main', 'other']));
    await publish(plane, { job_id: 'a', workflow: 'crawler', input: { n: 1 } });
    await plane.call('POST', '/modules?name=crawler&version=2', { body: moduleFile(['main'], 'changed') });
    await publish(plane, { job_id: 'b', workflow: 'crawler/main' });
    const jobs = (await plane.call('GET', '/queue/list')).body;
    assert.deepEqual(column(jobs, 'workflow'), ['crawler@2/main', 'crawler@1/main']);
    assert.deepEqual(column(jobs, 'payload'), [null, { n: 1 }]);
    const wrong = await publish(plane, { workflow: 'crawler@2/other' });
    assert.deepEqual(
      [wrong.status, wrong.body.error.code, wrong.body.error.details.workflows],
      [404, 'WORKFLOW_NOT_FOUND', ['main']],
    );
  });

  test('says what is wrong with a body', async () => {
    await using plane = await TestPlane.open();
    for (const body of [
      {},
      { workflow: 'a', payload: 1 },
      { job_id: '-', payload: 1 },
      { payload: 1, attempts_max: 0 },
      [],
    ]) {
      const refused = await publish(plane, body);
      assert.deepEqual([refused.status, refused.body.error.code], [400, 'INVALID_ARGUMENT'], JSON.stringify(body));
    }
    const broken = await plane.call('POST', '/queue/publish', {
      body: new TextEncoder().encode('{"payload":'),
      headers: { 'content-type': 'application/json' },
    });
    assert.deepEqual([broken.status, broken.body.error.code], [400, 'INVALID_JSON']);
    const large = await publish(plane, { payload: 'x'.repeat(limits.inputBytesMax) });
    assert.deepEqual([large.status, large.body.error.code], [413, 'PAYLOAD_TOO_LARGE']);
  });

  test('keeps an input that is nested as deep as its size allows', async () => {
    await using plane = await TestPlane.open();
    const depth = 100_000;
    const body = new TextEncoder().encode(`{"job_id":"a","payload":${'['.repeat(depth)}${']'.repeat(depth)}}`);
    const headers = { 'content-type': 'application/json' };
    assert.equal((await plane.call('POST', '/queue/publish', { body, headers })).status, 200);
    assert.equal(JSON.stringify((await plane.call('GET', '/queue/status/a')).body.payload).length, 2 * depth);
  });

  test('answers in JSON what MessagePack can not nest so deep, alone and among others', async () => {
    await using plane = await TestPlane.open();
    // Short enough for a list.
    const depth = 30_000;
    const body = `{"jobs":[{"job_id":"deep","payload":${'['.repeat(depth)}${']'.repeat(depth)}},{"job_id":"flat","payload":1}]}`;
    const headers = { 'content-type': 'application/json' };
    assert.equal((await plane.call('POST', '/queue/publish-many', { body: Buffer.from(body), headers })).status, 200);
    for (const path of ['/queue/status/deep', '/queue/list?limit=2']) {
      const answer = await plane.call('GET', path, { headers: { accept: 'application/msgpack' } });
      assert.deepEqual([answer.status, answer.headers.get('content-type')], [200, 'application/json']);
    }
    const flat = await plane.call('GET', '/queue/status/flat', { headers: { accept: 'application/msgpack' } });
    assert.equal(flat.headers.get('content-type'), 'application/msgpack');
  });

  test('takes a thousand jobs at once, all or none', async () => {
    await using plane = await TestPlane.open();
    const jobs = Array.from({ length: limits.publishJobsMax }, (_, index) => ({
      job_id: `job-${index}`,
      payload: index,
    }));
    const all = await plane.call('POST', '/queue/publish-many', { body: { jobs } });
    assert.equal(all.body.jobs.length, limits.publishJobsMax);
    const clash = await plane.call('POST', '/queue/publish-many', {
      body: {
        jobs: [
          { job_id: 'new', payload: 1 },
          { job_id: 'job-5', payload: 'other' },
        ],
      },
    });
    assert.deepEqual([clash.status, clash.body.error.code], [409, 'JOB_EXISTS']);
    assert.equal((await plane.call('GET', '/queue/status/new')).status, 404);
    const many = await plane.call('POST', '/queue/publish-many', { body: { jobs: [...jobs, { payload: 1 }] } });
    assert.equal(many.status, 400);
  });

  test('is refused with Retry-After when the queue is full', async () => {
    await using plane = await TestPlane.open({ pendingJobsMax: 1 });
    await publish(plane, { payload: 1 });
    const full = await publish(plane, { payload: 2 });
    assert.deepEqual([full.status, full.body.error.code, full.headers.get('retry-after')], [429, 'QUEUE_FULL', '1']);
  });
});

suite('list', () => {
  test('pages from the newest to the oldest, by state when asked', async () => {
    await using plane = await TestPlane.open();
    for (let index = 0; index < 5; index += 1) await publish(plane, { job_id: `j${index}`, payload: index });
    await plane.call('POST', '/queue/cancel/j3', { body: {} });
    const ids = (page: { body: readonly { job_id: string }[] }): readonly string[] =>
      page.body.map((job) => job.job_id);
    const first = await plane.call('GET', '/queue/list?limit=2');
    assert.deepEqual(ids(first), ['j4', 'j3']);
    const second = await plane.call('GET', `/queue/list?limit=2&after=${first.headers.get('x-next')}`);
    assert.deepEqual(ids(second), ['j2', 'j1']);
    const third = await plane.call('GET', `/queue/list?limit=2&after=${second.headers.get('x-next')}`);
    assert.deepEqual([ids(third), third.headers.get('x-next')], [['j0'], null]);
    assert.deepEqual(ids(await plane.call('GET', '/queue/list?state=Cancelled')), ['j3']);
    for (const search of ['state=gone', 'limit=0', 'limit=x', 'after=x']) {
      assert.equal((await plane.call('GET', `/queue/list?${search}`)).status, 400, search);
    }
  });

  test('leaves out payloads that are too long for a list; the job itself has them', async () => {
    await using plane = await TestPlane.open();
    const payload = 'x'.repeat(100_000);
    await publish(plane, { job_id: 'a', payload });
    assert.equal((await plane.call('GET', '/queue/list')).body[0].payload, null);
    assert.equal((await plane.call('GET', '/queue/status/a')).body.payload, payload);
  });
});

suite('status', () => {
  test('waits for the end of a job', async () => {
    await using plane = await TestPlane.open();
    await publish(plane, { job_id: 'a', payload: 1 });
    const waiting = plane.call('GET', '/queue/status/a?wait_ms=10000');
    await turn();
    await plane.call('POST', '/queue/cancel/a', { body: { reason: 'enough' } });
    const { body } = await waiting;
    assert.deepEqual([body.status, body.error], ['cancelled', { code: 'CANCELLED', message: 'enough' }]);
    assert.equal((await plane.call('GET', '/queue/status/a?wait_ms=10000')).body.status, 'cancelled');
  });

  test('answers what there is when the time is over, and at once for an unknown job', async () => {
    await using plane = await TestPlane.open();
    await publish(plane, { job_id: 'a', payload: 1 });
    // Deadlines are looked for once at the start.
    plane.clock.advance(1);
    const timers = plane.clock.pending;
    const waiting = plane.call('GET', '/queue/status/a?wait_ms=10000');
    while (plane.clock.pending === timers) await turn();
    plane.clock.advance(10_000);
    assert.equal((await waiting).body.status, 'pending');
    assert.equal((await plane.call('GET', '/queue/status/nowhere?wait_ms=10000')).status, 404);
    assert.equal(plane.clock.pending, timers);
  });
});

suite('cancel', () => {
  test('ends a pending job at once, twice without harm, and refuses one that is over otherwise', async () => {
    await using plane = await TestPlane.open();
    await publish(plane, { job_id: 'a', payload: 1 });
    assert.equal((await plane.call('POST', '/queue/cancel/a')).body.status, 'cancelled');
    assert.equal((await plane.call('POST', '/queue/cancel/a', { body: { reason: 'again' } })).status, 200);
    await publish(plane, { job_id: 'b', payload: 1 });
    await plane.call('POST', '/queue/claim');
    await plane.call('POST', '/queue/status/b', { body: { status: 'failed', error: 'no such host' } });
    const over = await plane.call('POST', '/queue/cancel/b', { body: {} });
    assert.deepEqual([over.status, over.body.error.code], [409, 'INVALID_TRANSITION']);
    assert.deepEqual((await plane.call('GET', '/queue/status/b')).body.error, {
      code: 'WORKFLOW_FAILED',
      message: 'no such host',
    });
  });
});

suite('journal and logs', () => {
  test('show the decoded entries, with bodies as text or base64, and the log lines with their time', async () => {
    await using plane = await TestPlane.open();
    const { job, epoch } = await plane.claimOne();
    const response = { status: 200, statusText: 'OK', url: 'http://x/', redirected: false, headers: [] };
    const batch = firstBatch(job, [
      startedEntry(job),
      { kind: 'intents', intents: [{ type: 'log', level: 'info', text: 'hello' }] },
      {
        kind: 'answered',
        at: 2_000,
        call: 1,
        answer: { type: 'fetched', response: { ...response, body: new TextEncoder().encode('page') } },
      },
      {
        kind: 'answered',
        at: 2_001,
        call: 2,
        answer: { type: 'fetched', response: { ...response, body: Uint8Array.of(255, 0) } },
      },
      { kind: 'intents', intents: [{ type: 'log', level: 'warn', text: 'bye' }] },
    ]);
    await plane.packed('/peer/append', { worker: 'w1', appends: [{ job, epoch, attempt: 1, ...batch }] });
    const journal = (await plane.call('GET', `/queue/journal/${job}`)).body;
    assert.deepEqual([journal.job_id, journal.attempt], [job, 1]);
    assert.deepEqual(column(journal.entries, 'seq'), [0, 1, 2, 3, 4]);
    assert.deepEqual(column(journal.entries, 'kind'), ['started', 'intents', 'answered', 'answered', 'intents']);
    assert.deepEqual(journal.entries[2].answer.response.body, { utf8: 'page' });
    assert.deepEqual(journal.entries[3].answer.response.body, { base64: '/wA=' });
    const part = (await plane.call('GET', `/queue/journal/${job}?from=3&limit=1`)).body.entries;
    assert.deepEqual(column(part, 'seq'), [3]);
    assert.deepEqual((await plane.call('GET', `/queue/logs/${job}`)).body, [
      { seq: 1, at: 1_000, level: 'info', text: 'hello' },
      { seq: 4, at: 2_001, level: 'warn', text: 'bye' },
    ]);
    assert.equal((await plane.call('GET', '/queue/journal/nowhere')).status, 404);
  });
});

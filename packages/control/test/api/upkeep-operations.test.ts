import { parseAs, whyViewSchema, type WhyView } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { z } from 'zod';
import { column, firstBatch, moduleFile, startedEntry, TestPlane } from './test-plane.ts';

const publish = (plane: TestPlane, body: object): ReturnType<TestPlane['call']> =>
  plane.call('POST', '/queue/publish', { body: { workflow: 'crawler', ...body } });

const claim = (plane: TestPlane, body: object = {}): ReturnType<TestPlane['call']> =>
  plane.call('POST', '/peer/claim', { body: { worker: 'w1', incarnation: 'i1', capacity: 1, ...body } });

const finish = (plane: TestPlane, job: string, outcome: object): ReturnType<TestPlane['call']> =>
  plane.call('POST', '/peer/finish', { body: { worker: 'w1', finishes: [{ job, epoch: 1, attempt: 1, outcome }] } });

const failure = { type: 'failed', error: { code: 'WORKFLOW_FAILED', message: 'no such page' }, retryable: true };

const why = async (plane: TestPlane, job: string): Promise<WhyView> =>
  parseAs(whyViewSchema, (await plane.call('GET', `/queue/why/${job}`)).body, 'the answer');

const codes = async (plane: TestPlane, job: string): Promise<readonly string[]> =>
  (await why(plane, job)).reasons.map(({ code }) => code);

const openPlane = async (): Promise<TestPlane> => {
  const plane = await TestPlane.open();
  await plane.deploy();
  return plane;
};

suite('queues', () => {
  test('show what is set, and count jobs that could run and that run', async () => {
    await using plane = await openPlane();
    await publish(plane, { job_id: 'a' });
    await publish(plane, { job_id: 'b', key: 'acme' });
    await publish(plane, { job_id: 'c', queue: 'mail', delay_ms: 1_000 });
    await claim(plane);
    const set = await plane.call('POST', '/queue/queues/mail', { body: { mode: 'paused', concurrency: 3 } });
    assert.deepEqual(set.body, {
      queue: 'mail',
      mode: 'paused',
      settings: { mode: 'paused', concurrency: 3 },
      ready: 0,
      running: 0,
      ready_keys: 0,
    });
    const { body } = await plane.call('GET', '/queue/queues');
    assert.deepEqual(column(body, 'queue'), ['default', 'mail']);
    assert.deepEqual([body[0].ready, body[0].running, body[0].ready_keys], [1, 1, 1]);
    const changed = await plane.call('POST', '/queue/queues/mail', { body: { concurrency: null } });
    assert.deepEqual(changed.body.settings, { mode: 'paused' });
  });

  test('keep what is set, and what runs, over a restart', async () => {
    await using plane = await openPlane();
    await plane.call('POST', '/queue/queues/default', { body: { concurrency: 1 } });
    await publish(plane, { job_id: 'a' });
    await publish(plane, { job_id: 'b' });
    assert.deepEqual(column((await claim(plane)).body.jobs, 'job'), ['a']);
    await plane.restart();
    assert.deepEqual((await claim(plane)).body.jobs, []);
    assert.equal((await plane.call('GET', '/queue/queues/default')).body.running, 1);
    await finish(plane, 'a', { type: 'completed', result: 'null' });
    assert.deepEqual(column((await claim(plane)).body.jobs, 'job'), ['b']);
  });

  test('refuse settings that make no sense, and say which', async () => {
    await using plane = await openPlane();
    for (const body of [{ concurrency: 0 }, { rate: { count: 1 } }, { mode: 'shut' }, { speed: 1 }]) {
      const refused = await plane.call('POST', '/queue/queues/default', { body });
      assert.deepEqual([refused.status, refused.body.error.code], [400, 'INVALID_ARGUMENT'], JSON.stringify(body));
    }
    assert.equal((await plane.call('GET', '/queue/queues/no%20name')).status, 400);
  });

  test('wake a claim that waits as soon as one is resumed, or a limit has room, or a worker with the tags comes', async () => {
    await using plane = await openPlane();
    await plane.call('POST', '/queue/queues/default', { body: { mode: 'paused' } });
    await publish(plane, { job_id: 'a' });
    const waiting = claim(plane, { waitMs: 10_000 });
    while (plane.core.claims.length === 0) await turn();
    await plane.call('POST', '/queue/queues/default', { body: { mode: 'open', concurrency: 1 } });
    assert.deepEqual(column((await waiting).body.jobs, 'job'), ['a']);
    await publish(plane, { job_id: 'b' });
    const next = claim(plane, { waitMs: 10_000 });
    while (plane.core.claims.length === 0) await turn();
    await finish(plane, 'a', { type: 'completed', result: 'null' });
    assert.deepEqual(column((await next).body.jobs, 'job'), ['b']);
    await plane.call('POST', '/queue/queues/default', { body: { concurrency: null } });
    const plain = claim(plane, { waitMs: 10_000 });
    while (plane.core.claims.length === 0) await turn();
    const able = claim(plane, { waitMs: 10_000, worker: 'w2', tags: ['gpu'] });
    while (plane.core.claims.length === 1) await turn();
    await publish(plane, { job_id: 'c', requires: ['gpu'] });
    assert.deepEqual(column((await able).body.jobs, 'job'), ['c']);
    plane.clock.advance(10_000);
    assert.deepEqual((await plain).body.jobs, []);
  });

  test('give a job to a worker that has its module at hand, of those that wait', async () => {
    await using plane = await openPlane();
    const { body } = await plane.call('GET', '/modules');
    const cold = claim(plane, { waitMs: 10_000, worker: 'cold' });
    while (plane.core.claims.length === 0) await turn();
    const warm = claim(plane, { waitMs: 10_000, worker: 'warm', modules: [body[0].hash] });
    while (plane.core.claims.length === 1) await turn();
    await publish(plane, { job_id: 'a' });
    assert.deepEqual(column((await warm).body.jobs, 'job'), ['a']);
    await publish(plane, { job_id: 'b' });
    assert.deepEqual(column((await cold).body.jobs, 'job'), ['b']);
  });

  test('wake a claim at the time at which a rate allows the next one', async () => {
    await using plane = await openPlane();
    await plane.call('POST', '/queue/queues/default', { body: { rate: { count: 1, per_ms: 1_000 } } });
    await publish(plane, { job_id: 'a' });
    await publish(plane, { job_id: 'b' });
    assert.deepEqual(column((await claim(plane)).body.jobs, 'job'), ['a']);
    const waiting = claim(plane, { waitMs: 10_000 });
    while (plane.core.claims.length === 0) await turn();
    plane.clock.advance(1_020);
    assert.deepEqual(column((await waiting).body.jobs, 'job'), ['b']);
  });

  test('keep to a rate whose period was changed, with the claims from before, and open again after it', async () => {
    await using plane = await openPlane();
    const rate = (perMs: number): ReturnType<TestPlane['call']> =>
      plane.call('POST', '/queue/queues/default', { body: { rate: { count: 1, per_ms: perMs } } });
    for (const id of ['a', 'b', 'c']) await publish(plane, { job_id: id });
    await rate(1_000);
    assert.deepEqual(column((await claim(plane)).body.jobs, 'job'), ['a']);
    await finish(plane, 'a', { type: 'completed', result: 'null' });
    await rate(60_000);
    plane.clock.advance(2_000);
    assert.deepEqual((await claim(plane)).body.jobs, []);
    plane.clock.advance(60_000);
    assert.deepEqual(column((await claim(plane)).body.jobs, 'job'), ['b']);
    await finish(plane, 'b', { type: 'completed', result: 'null' });
    await rate(100);
    plane.clock.advance(2_000);
    assert.deepEqual(column((await claim(plane)).body.jobs, 'job'), ['c']);
  });
});

/** The job when it is over; the clock goes on meanwhile. */
const endOf = async (plane: TestPlane, job: string): ReturnType<TestPlane['call']> => {
  for (;;) {
    const called = await plane.call('GET', `/queue/status/${job}`);
    if (called.body.status === 'failed' || called.body.status === 'cancelled') return called;
    plane.clock.advance(1);
    await turn();
  }
};

suite('deadlines', () => {
  test('end jobs by themselves, also those that passed while the control plane was not there', async () => {
    await using plane = await openPlane();
    await publish(plane, { job_id: 'a', start_timeout_ms: 100 });
    plane.clock.advance(101);
    const { body } = await endOf(plane, 'a');
    assert.deepEqual([body.status, body.error.code], ['failed', 'START_TIMEOUT']);
    await publish(plane, { job_id: 'b', timeout_ms: 50 });
    await plane.core.stop();
    plane.clock.advance(100);
    await plane.restart();
    assert.equal((await endOf(plane, 'b')).body.error.code, 'JOB_TIMEOUT');
  });

  test('take a job from a worker that does not end a cancelled one in time', async () => {
    await using plane = await openPlane();
    await publish(plane, { job_id: 'a' });
    await claim(plane);
    await plane.call('POST', '/queue/cancel/a', { body: { grace_ms: 500 } });
    plane.clock.advance(501);
    assert.equal((await endOf(plane, 'a')).body.status, 'cancelled');
    const beat = { worker: 'w1', incarnation: 'i1', held: [{ job: 'a', epoch: 1 }] };
    assert.deepEqual(column((await plane.call('POST', '/peer/heartbeat', { body: beat })).body.lost, 'job'), ['a']);
  });
});

suite('search', () => {
  test('finds jobs by state, module, queue, key, tag, error and time, and pages through them', async () => {
    await using plane = await openPlane();
    await plane.deploy('other', moduleFile(['main'], 'x'));
    await publish(plane, { job_id: 'a', key: 'acme', tags: ['nightly', 'eu'] });
    await publish(plane, { job_id: 'b', queue: 'mail', tags: ['nightly'] });
    plane.clock.advance(1_000);
    await plane.call('POST', '/queue/publish', { body: { job_id: 'c', workflow: 'other', tags: ['nightly'] } });
    await claim(plane);
    await finish(plane, 'a', { ...failure, retryable: false });
    const found = async (search: string): Promise<readonly unknown[]> =>
      column((await plane.call('GET', `/queue/list?${search}`)).body, 'job_id');
    assert.deepEqual(await found('tag=nightly'), ['c', 'b', 'a']);
    assert.deepEqual(await found('tag=nightly&key=acme'), ['a']);
    assert.deepEqual(await found('tag=nightly&state=live'), ['c', 'b']);
    assert.deepEqual(await found('queue=mail'), ['b']);
    assert.deepEqual(await found('queue=default'), ['c', 'a']);
    assert.deepEqual(await found('error=WORKFLOW_FAILED'), ['a']);
    assert.deepEqual(await found('module=other'), ['c']);
    const now = plane.clock.wallMs();
    assert.deepEqual(await found(`since_ms=${now}`), ['c']);
    assert.deepEqual(await found(`until_ms=${now}`), ['b', 'a']);
    const first = await plane.call('GET', '/queue/list?tag=nightly&limit=2');
    assert.deepEqual(column(first.body, 'job_id'), ['c', 'b']);
    assert.deepEqual(await found(`tag=nightly&limit=2&after=${first.headers.get('x-next')}`), ['a']);
    assert.deepEqual((await plane.call('GET', '/queue/status/a')).body.tags, ['eu', 'nightly']);
  });
});

suite('retry and cancel', () => {
  test('revive a flow page by page, so that each waits again for what it waited for', async () => {
    await using plane = await openPlane();
    await publish(plane, { job_id: 'a' });
    await publish(plane, { job_id: 'b', after: ['a'] });
    await publish(plane, { job_id: 'c', after: ['b'] });
    await claim(plane);
    await finish(plane, 'a', failure);
    const retried: string[] = [];
    for (let after: number | null = null, isMore = true; isMore;) {
      const answer = await plane.call('POST', '/queue/retry-many', { body: { limit: 1, after } });
      const { jobs, next } = manySchema.parse(answer.body);
      retried.push(...jobs);
      isMore = next !== null;
      after = next;
    }
    assert.deepEqual(retried, ['a', 'b', 'c']);
    assert.deepEqual([await codes(plane, 'b'), await codes(plane, 'c')], [['waits-for-job'], ['waits-for-job']]);
    assert.deepEqual(column((await claim(plane, { capacity: 3 })).body.jobs, 'job'), ['a']);
  });

  test('revive dead letters, one or all that fit, and cancel many', async () => {
    await using plane = await openPlane();
    for (const id of ['a', 'b', 'c']) {
      await publish(plane, { job_id: id, tags: [id] });
      await claim(plane);
      await finish(plane, id, failure);
    }
    const one = await plane.call('POST', '/queue/retry/a');
    assert.deepEqual([one.body.status, one.body.attempt, one.body.error], ['pending', 2, null]);
    const again = await plane.call('POST', '/queue/retry/a');
    assert.deepEqual([again.status, again.body.error.code], [409, 'INVALID_TRANSITION']);
    assert.equal((await plane.call('POST', '/queue/retry/nothing')).status, 404);
    const tagged = await plane.call('POST', '/queue/retry-many', { body: { tag: 'b' } });
    assert.deepEqual(tagged.body, { jobs: ['b'], more: false, next: null });
    const rest = await plane.call('POST', '/queue/retry-many', { body: { error: 'WORKFLOW_FAILED', limit: 1 } });
    assert.deepEqual([rest.body.jobs, rest.body.more], [['c'], true]);
    const none = await plane.call('POST', '/queue/retry-many', { body: { after: rest.body.next } });
    assert.deepEqual(none.body, { jobs: [], more: false, next: null });
    const cancelled = await plane.call('POST', '/queue/cancel-many', { body: { state: 'pending', reason: 'enough' } });
    assert.deepEqual(cancelled.body.jobs, ['c', 'b', 'a']);
    assert.equal((await plane.call('GET', '/queue/status/b')).body.error.message, 'enough');
    const revived = await plane.call('POST', '/queue/retry-many', { body: { state: 'cancelled', tag: 'b' } });
    assert.deepEqual(revived.body.jobs, ['b']);
  });
});

test('a key that is no well-formed text is refused, as it could not be told from another one', async () => {
  await using plane = await openPlane();
  for (const options of [{ key: '\ud800' }, { unique: { key: 'a\udfff' } }]) {
    const refused = await publish(plane, options);
    assert.deepEqual([refused.status, refused.body.error.code], [400, 'INVALID_ARGUMENT'], JSON.stringify(options));
  }
  assert.equal((await publish(plane, { key: '\u{1f600}', unique: { key: '\u{1f600}' } })).body.created, true);
});

const manySchema = z.object({ jobs: z.array(z.string()), next: z.number().nullable() });

suite('many jobs, page after page', () => {
  test('are each tried again once, also those that have failed again by then', async () => {
    await using plane = await openPlane();
    const failOne = async (id: string): Promise<void> => {
      await claim(plane);
      await finish(plane, id, failure);
    };
    for (const id of ['a', 'b', 'c']) {
      await publish(plane, { job_id: id });
      await failOne(id);
    }
    const retried: string[] = [];
    for (let after: number | null = null; ;) {
      const answer = await plane.call('POST', '/queue/retry-many', { body: { limit: 1, after } });
      const { jobs, next } = manySchema.parse(answer.body);
      retried.push(...jobs);
      for (const id of jobs) await failOne(id);
      if (next === null) break;
      after = next;
    }
    assert.deepEqual(retried, ['a', 'b', 'c']);
  });

  test('are none when a filter is misspelt, instead of all', async () => {
    await using plane = await openPlane();
    await publish(plane, { job_id: 'a' });
    for (const path of ['/queue/cancel-many', '/queue/retry-many']) {
      const { status, body } = await plane.call('POST', path, { body: { queu: 'crawls' } });
      assert.deepEqual([status, body.error.code], [400, 'INVALID_ARGUMENT']);
    }
    assert.equal((await plane.call('GET', '/queue/status/a')).body.status, 'pending');
  });

  test('are each told once to end, also those that take their time', async () => {
    await using plane = await openPlane();
    for (const id of ['a', 'b']) {
      await publish(plane, { job_id: id });
      await claim(plane);
    }
    const first = await plane.call('POST', '/queue/cancel-many', { body: { limit: 1 } });
    const second = await plane.call('POST', '/queue/cancel-many', { body: { limit: 1, after: first.body.next } });
    assert.deepEqual([first.body.jobs, second.body.jobs], [['b'], ['a']]);
  });
});

suite('why', () => {
  test('names what a job waits for: its time, other jobs, a queue, limits', async () => {
    await using plane = await openPlane();
    await publish(plane, { job_id: 'later', delay_ms: 60_000 });
    assert.deepEqual(await codes(plane, 'later'), ['scheduled']);
    await publish(plane, { job_id: 'a' });
    await publish(plane, { job_id: 'b', after: ['a', 'later'] });
    const blocked = await why(plane, 'b');
    assert.deepEqual(
      blocked.reasons.map(({ details }) => details['job_id']),
      ['later', 'a'],
    );
    assert.deepEqual(await codes(plane, 'a'), ['no-worker']);
    await claim(plane, { queues: ['elsewhere'] });
    assert.match((await why(plane, 'a')).reasons[0]?.text ?? '', /w1 serves other queues/);
    await plane.call('POST', '/queue/queues/default', { body: { mode: 'paused', concurrency: 1 } });
    await plane.call('POST', '/queue/queues/default', { body: { mode: 'open' } });
    assert.deepEqual(column((await claim(plane)).body.jobs, 'job'), ['a']);
    await publish(plane, { job_id: 'c' });
    const [full] = (await why(plane, 'c')).reasons;
    assert.deepEqual(full?.details, { limit: 1, held: [{ job_id: 'a', worker: 'w1' }] });
    await plane.call('POST', '/queue/queues/default', { body: { mode: 'paused' } });
    assert.deepEqual((await codes(plane, 'c')).slice(0, 2), ['paused', 'limit-full']);
  });

  test('says that a job waits for a message when no time will wake it, and when it sleeps', async () => {
    await using plane = await openPlane();
    await publish(plane, { job_id: 'a' });
    await claim(plane);
    await finish(plane, 'a', { type: 'suspended', wakeAt: null, seen: 0 });
    assert.deepEqual(await codes(plane, 'a'), ['waits-for-message']);
    await publish(plane, { job_id: 'b' });
    await claim(plane);
    await finish(plane, 'b', { type: 'suspended', wakeAt: plane.clock.wallMs() + 60_000, seen: 0 });
    assert.deepEqual(await codes(plane, 'b'), ['sleeping']);
  });

  test('names the workers that lack a tag, and how many jobs come before', async () => {
    await using plane = await openPlane();
    await claim(plane, { tags: ['eu'] });
    await publish(plane, { job_id: 'a', requires: ['eu', 'gpu'] });
    const [lacking] = (await why(plane, 'a')).reasons;
    assert.equal(lacking?.code, 'no-worker');
    assert.match(lacking.text, /w1 lacks gpu/);
    await publish(plane, { job_id: 'b' });
    await publish(plane, { job_id: 'c' });
    await publish(plane, { job_id: 'd', timeout_ms: 5_000 });
    const reasons = (await why(plane, 'd')).reasons;
    assert.deepEqual(
      reasons.map(({ code }) => code),
      ['workers-busy', 'in-line', 'deadline'],
    );
    assert.equal(reasons[1]?.details['ahead'], 2);
  });

  test('knows which workers have the handler of a job', async () => {
    await using plane = await openPlane();
    await plane.call('POST', '/queue/publish', { body: { job_id: 'a', handler: 'resize' } });
    await claim(plane, { handlers: ['mail'] });
    const [lacking] = (await why(plane, 'a')).reasons;
    assert.equal(lacking?.code, 'no-worker');
    assert.match(lacking.text, /w1 has no handler "resize"/);
    await plane.call('POST', '/queue/publish', { body: { job_id: 'm', handler: 'mail' } });
    assert.deepEqual(await codes(plane, 'm'), ['workers-busy', 'in-line']);
  });

  test('says of a job that waits what for: a message, with or without a time until when', async () => {
    await using plane = await openPlane();
    for (const [job, wakeAt] of [
      ['a', null],
      ['b', plane.clock.wallMs() + 5_000],
    ] as const) {
      await publish(plane, { job_id: job });
      await claim(plane);
      const batch = firstBatch(job, [
        startedEntry(job),
        { kind: 'intents', intents: [{ type: 'receive', call: 1, types: ['approved'] }] },
      ]);
      const outcome = { type: 'suspended', wakeAt, seen: 0 };
      const finishes = [{ job, epoch: 1, attempt: 1, append: batch, outcome }];
      const { body } = await plane.packed('/peer/finish', { worker: 'w1', finishes });
      assert.deepEqual(body.results, [{ ok: true }]);
    }
    assert.deepEqual(await codes(plane, 'a'), ['waits-for-message']);
    assert.match((await why(plane, 'a')).reasons[0]?.text ?? '', /a message of type approved/);
    assert.deepEqual(await codes(plane, 'b'), ['sleeping', 'waits-for-message']);
  });

  test('does not say when a holder was heard of that was not since the start', async () => {
    await using plane = await openPlane();
    await publish(plane, { job_id: 'a' });
    await claim(plane);
    const [before] = (await why(plane, 'a')).reasons;
    assert.match(before?.text ?? '', /was last heard of 0 ms ago/);
    await plane.restart();
    const [held] = (await why(plane, 'a')).reasons;
    assert.ok(held);
    assert.equal(held.details['heard_at'], null, held.text);
    assert.equal(held.details['lease_until'], plane.clock.wallMs() + plane.core.periods.startGraceMs);
  });

  test('says who holds a job, until when, and what comes after its failure and its end', async () => {
    await using plane = await openPlane();
    await publish(plane, { job_id: 'a', attempts_max: 2 });
    await claim(plane);
    const [held] = (await why(plane, 'a')).reasons;
    assert.deepEqual([held?.code, held?.details['worker']], ['held', 'w1']);
    await finish(plane, 'a', { ...failure, retryAfterMs: 5_000 });
    const [retry] = (await why(plane, 'a')).reasons;
    assert.deepEqual([retry?.code, retry?.details['at']], ['retry', plane.clock.wallMs() + 5_000]);
    await plane.call('POST', '/queue/cancel/a', { body: { reason: 'enough' } });
    assert.match((await why(plane, 'a')).reasons[0]?.text ?? '', /it is cancelled since .*CANCELLED: enough/);
    assert.equal((await plane.call('GET', '/queue/why/nothing')).status, 404);
  });
});

import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { column, TestPlane } from './test-plane.ts';

// The still clock begins there; see that it is a whole minute.
const minute = 60_000;

const set = (plane: TestPlane, name: string, spec: object): ReturnType<TestPlane['call']> =>
  plane.call('POST', `/schedules/${name}`, {
    body: { cron: '* * * * *', job: { workflow: 'crawler', input: { n: 1 } }, ...spec },
  });

const view = async (plane: TestPlane, name: string): Promise<ReturnType<TestPlane['call']>> =>
  plane.call('GET', `/schedules/${name}`);

/** Lets the clock go on for so long, a minute at a time, and waits for what the schedule does each time. */
const pass = async (plane: TestPlane, name: string, ms: number): Promise<void> => {
  const until = plane.clock.wallMs() + ms;
  for (;;) {
    const { body } = await view(plane, name);
    if (body.next_at_ms > until) return;
    plane.clock.advance(Math.max(body.next_at_ms - plane.clock.wallMs(), 1));
    while ((await view(plane, name)).body.last_at_ms !== body.next_at_ms) await turn();
  }
};

const jobs = async (plane: TestPlane): Promise<readonly unknown[]> =>
  column((await plane.call('GET', '/queue/list')).body, 'job_id').toReversed();

const openPlane = async (): Promise<TestPlane> => {
  const plane = await TestPlane.open();
  await plane.deploy();
  return plane;
};

suite('schedules', () => {
  test('publish a job at each of their times, under a name that says which', async () => {
    await using plane = await openPlane();
    const begin = plane.clock.wallMs();
    const first = Math.floor(begin / minute) * minute + minute;
    const made = await set(plane, 'probe', { overlap: 'allow' });
    assert.deepEqual([made.status, made.body.next_at_ms, made.body.last_job], [200, first, null]);
    await pass(plane, 'probe', 2 * minute);
    const names = [first, first + minute].map((at) => `probe:${new Date(at).toISOString()}`);
    assert.deepEqual(await jobs(plane), names);
    const { body } = await view(plane, 'probe');
    assert.deepEqual([body.last_job, body.last_at_ms, body.next_at_ms], [names[1], first + minute, first + 2 * minute]);
    assert.deepEqual(column((await plane.call('GET', '/schedules')).body, 'schedule'), ['probe']);
  });

  test('skip a time while the job of an earlier one is not over, unless told otherwise', async () => {
    await using plane = await openPlane();
    await set(plane, 'probe', {});
    await pass(plane, 'probe', 3 * minute);
    const { body } = await view(plane, 'probe');
    assert.deepEqual([(await jobs(plane)).length, body.skipped], [1, 2]);
  });

  test('make up for the last missed time after a restart, or for all of them, or for none', async () => {
    await using plane = await openPlane();
    const policies = { last: 1, all: 5, none: 0 };
    for (const catch_up of Object.keys(policies)) await set(plane, catch_up, { catch_up, overlap: 'allow' });
    await plane.core.stop();
    const before = plane.clock.wallMs();
    plane.clock.advance(6 * minute + 1_000);
    await plane.restart();
    plane.clock.advance(1);
    const now = plane.clock.wallMs();
    for (const name of Object.keys(policies)) while ((await view(plane, name)).body.next_at_ms <= now) await turn();
    const times = Array.from({ length: 6 }, (_, index) => Math.floor(before / minute) * minute + (index + 1) * minute);
    const made = await jobs(plane);
    const madeBy = (name: string): readonly number[] =>
      times.filter((at) => made.includes(`${name}:${new Date(at).toISOString()}`));
    // The latest one is a second ago: it is late, and not missed.
    assert.deepEqual([madeBy('all'), madeBy('last'), madeBy('none')], [times, times.slice(-1), times.slice(-1)]);
  });

  test('make up for what was missed also when they are set again meanwhile, unless their times are others now', async () => {
    await using plane = await openPlane();
    const [same, other] = [{ catch_up: 'all', overlap: 'allow' }, { cron: '*/2 * * * *' }];
    for (const name of ['same', 'other']) await set(plane, name, same);
    await plane.core.stop();
    plane.clock.advance(6 * minute + 1_000);
    await plane.restart();
    const again = [set(plane, 'same', { ...same, job: { workflow: 'crawler' } }), set(plane, 'other', other)];
    await Promise.all(again);
    plane.clock.advance(1);
    const now = plane.clock.wallMs();
    for (const name of ['same', 'other']) while ((await view(plane, name)).body.next_at_ms <= now) await turn();
    const made = (await jobs(plane)).map((id) => String(id).split(':')[0]);
    assert.deepEqual([made.filter((name) => name === 'same').length, made.length], [6, 6]);
  });

  test('stand still while they are paused, and go on with their next time', async () => {
    await using plane = await openPlane();
    await set(plane, 'probe', { paused: true });
    plane.clock.advance(10 * minute);
    assert.equal((await view(plane, 'probe')).body.next_at_ms, null);
    const resumed = await set(plane, 'probe', { paused: false });
    assert.ok(resumed.body.next_at_ms > plane.clock.wallMs());
    assert.deepEqual(await jobs(plane), []);
  });

  test('publish now when they are triggered, and the times of a span when that is asked for, each once', async () => {
    await using plane = await openPlane();
    await set(plane, 'daily', { cron: '30 2 * * *', time_zone: 'Europe/Berlin' });
    assert.equal((await plane.call('POST', '/schedules/daily/trigger')).body.created, true);
    // The clocks went forward at 02:00 on the second of these days.
    const span = { from_ms: Date.parse('2026-03-28T00:00:00Z'), to_ms: Date.parse('2026-03-31T00:00:00Z') };
    const filled = await plane.call('POST', '/schedules/daily/backfill', { body: span });
    assert.deepEqual(column(filled.body.jobs, 'job_id'), [
      'daily:2026-03-28T01:30:00.000Z',
      'daily:2026-03-29T01:00:00.000Z',
      'daily:2026-03-30T00:30:00.000Z',
    ]);
    const again = await plane.call('POST', '/schedules/daily/backfill', { body: span });
    assert.deepEqual(column(again.body.jobs, 'created'), [false, false, false]);
    const wide = await plane.call('POST', '/schedules/daily/backfill', { body: { ...span, to_ms: span.to_ms + 1e12 } });
    assert.deepEqual([wide.status, wide.body.error.code], [400, 'INVALID_ARGUMENT']);
  });

  test('say what is wrong with them, and are gone when they are deleted', async () => {
    await using plane = await openPlane();
    for (const spec of [
      { cron: '61 * * * *' },
      { cron: 'now and then' },
      { time_zone: 'Mars/Olympus' },
      { job: { workflow: 'crawler', delay_ms: 5 } },
      { job: {} },
    ]) {
      const refused = await set(plane, 'wrong', spec);
      assert.deepEqual([refused.status, refused.body.error.code], [400, 'INVALID_ARGUMENT'], JSON.stringify(spec));
    }
    assert.equal((await set(plane, 'x'.repeat(110), {})).status, 400);
    assert.equal((await view(plane, 'wrong')).body.error.code, 'SCHEDULE_NOT_FOUND');
    await set(plane, 'probe', {});
    assert.equal((await plane.call('POST', '/schedules/probe/delete')).status, 200);
    assert.equal((await view(plane, 'probe')).status, 404);
    assert.equal((await plane.call('POST', '/schedules/probe/trigger')).status, 404);
  });
});

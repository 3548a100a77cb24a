import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { ControlMetrics } from '../../src/metrics/control-metrics.ts';
import { openThreadStore } from '../../src/store/thread-store.ts';
import { TestPlane } from '../api/test-plane.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';

/** The values by name and labels, as Prometheus would read them. */
const scrape = async (plane: TestPlane): Promise<ReadonlyMap<string, number>> => {
  const answer = await plane.open('GET', '/metrics');
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const lines = (await answer.text()).split('\n');
  return new Map(
    lines
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
};

const values = (metrics: ReadonlyMap<string, number>, names: readonly string[]): readonly (number | undefined)[] =>
  names.map((name) => metrics.get(name));

const publish = (plane: TestPlane, id: string, options: object = {}): ReturnType<TestPlane['call']> =>
  plane.call('POST', '/queue/publish', { body: { job_id: id, payload: 1, ...options } });

suite('the metrics of a control plane', () => {
  test('count jobs from their publication to their end, and how long they waited and ran', async () => {
    await using plane = await TestPlane.open();
    await publish(plane, 'a');
    await publish(plane, 'b', { queue: 'slow' });
    plane.clock.advance(3_000);
    await plane.call('POST', '/queue/claim');
    const between = await scrape(plane);
    assert.deepEqual(
      values(between, [
        'mvm_ci_jobs{state="pending"}',
        'mvm_ci_jobs{state="claimed"}',
        'mvm_ci_queue_ready_jobs{queue="default"}',
        'mvm_ci_queue_running_jobs{queue="default"}',
        'mvm_ci_queue_ready_jobs{queue="slow"}',
        'mvm_ci_queue_ready_age_seconds{queue="slow"}',
        'mvm_ci_queue_ready_age_seconds{queue="default"}',
        'mvm_ci_leases',
      ]),
      [1, 1, 0, 1, 1, 3, 0, 1],
    );
    plane.clock.advance(2_000);
    await plane.call('POST', '/queue/status/a', { body: { status: 'completed' } });
    const after = await scrape(plane);
    assert.deepEqual(
      values(after, [
        'mvm_ci_jobs_published_total',
        'mvm_ci_claims_total',
        'mvm_ci_job_ends_total{end="completed"}',
        'mvm_ci_job_ends_total{end="lost"}',
        'mvm_ci_job_wait_seconds_sum',
        'mvm_ci_job_wait_seconds_count',
        'mvm_ci_attempt_seconds_sum',
        'mvm_ci_attempt_seconds_count',
        'mvm_ci_leases',
      ]),
      [2, 1, 1, 0, 3, 1, 2, 1, 0],
    );
  });

  test('count what is refused as a refusal, and never as a job', async () => {
    await using plane = await TestPlane.open();
    await publish(plane, 'a');
    assert.equal((await publish(plane, 'a', { payload: 2 })).status, 409);
    const metrics = await scrape(plane);
    assert.deepEqual(
      values(metrics, [
        'mvm_ci_jobs_published_total',
        'mvm_ci_requests_total{route="publish",code="ok"}',
        'mvm_ci_requests_total{route="publish",code="JOB_EXISTS"}',
      ]),
      [1, 1, 1],
    );
  });

  test('tell how long the store takes for a group and its sync', async () => {
    using folder = new TemporaryFolder();
    await using plane = await TestPlane.open({
      openStore: (onEffects, onGroup) => openThreadStore({ path: join(folder.path, 'control.db'), onEffects, onGroup }),
    });
    await publish(plane, 'a');
    await publish(plane, 'a', { payload: 2 });
    const metrics = await scrape(plane);
    const groups = metrics.get('mvm_ci_store_group_seconds_count') ?? 0;
    assert.ok(groups >= 2, `${groups} groups`);
    assert.equal(metrics.get('mvm_ci_store_group_commands_sum'), metrics.get('mvm_ci_store_commands_total'));
    assert.equal(metrics.get('mvm_ci_store_refused_total'), 1);
    const [all = 0, commits = 0] = values(metrics, [
      'mvm_ci_store_group_seconds_sum',
      'mvm_ci_store_commit_seconds_sum',
    ]);
    assert.ok(commits > 0 && commits < all, `commits of ${commits} s in groups of ${all} s`);
  });
});

test('one reading serves all gauges of a scrape, and the next scrape reads again', async () => {
  const metrics = new ControlMetrics();
  const reads = { stats: 0, queues: 0 };
  const none = { pending: 0, claimed: 0, in_progress: 0, waiting: 0, completed: 0, failed: 0, cancelled: 0, total: 0 };
  metrics.read({
    stats: () => {
      reads.stats += 1;
      return Promise.resolve({ ...none, workers: 2 });
    },
    queues: () => {
      reads.queues += 1;
      return Promise.resolve([]);
    },
    nowMs: () => 0,
    leases: () => 0,
    claimsWaiting: () => 0,
    roundTrips: () => [],
    connections: () => 0,
  });
  assert.match(await metrics.text(), /^mvm_ci_workers 2$/m);
  assert.deepEqual(reads, { stats: 1, queues: 1 });
  await metrics.text();
  assert.deepEqual(reads, { stats: 2, queues: 2 });
});

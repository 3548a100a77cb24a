import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { BenchProcess, benchMain } from './bench-process.ts';

/** The names that runs are compared by. */
const figures = {
  queue: {
    metrics: [
      'drain_jobs_per_s',
      'drain4_jobs_per_s',
      'publish1_per_s',
      'publish64_per_s',
      'publish_bulk_per_s',
      'publish_to_start_p50_ms',
      'publish_to_start_p99_ms',
      'http_cycle_1_per_s',
      'http_cycle_100_per_s',
      'iroh_cycle_1_per_s',
      'iroh_cycle_100_per_s',
    ],
    bounds: ['sync_per_s', 'store_cycle_per_s'],
  },
  workflow: {
    metrics: [
      'three_effect_core_per_s',
      'three_effect_ts_per_s',
      'three_effect_idle_p50_ms',
      'three_effect_idle_p99_ms',
      'cluster_three_effect_idle_p50_ms',
    ],
    bounds: ['sync_per_s'],
  },
  engine: {
    metrics: [
      'replay_entry_us',
      'live_entry_us',
      'resume_100k_s',
      'resume_100k_snapshot_s',
      'resume_100k_snapshot_whole_s',
      'resume_100k_ts_replay_s',
      'warm_core_ms',
      'warm_ts_ms',
      'cold_ms_per_mib',
      'cold_ts_ms',
      'hot_5k_rss_mib',
    ],
    bounds: ['bare_step_us', 'bare_compile_ms_per_mib', 'sync_per_s'],
  },
  journal: {
    metrics: [
      'entries',
      'live_entries_per_s',
      'stored_mib',
      'read_entries_per_s',
      'resume_s',
      'replay_core_entries_per_s',
      'replay_ts_entries_per_s',
      'rss_mib',
    ],
    bounds: ['sync_per_s'],
  },
  peers: {
    metrics: [
      'workers',
      'control_rss_mib',
      'claim_idle_p50_ms',
      'claim_idle_p99_ms',
      'jobs_batch_per_s',
      'jobs_single_per_s',
      'module_10mb_s',
      'recovery_default_s',
      'recovery_fast_s',
      'turn_p99_ms',
    ],
    bounds: ['iroh_frames_per_s'],
  },
  sleepers: {
    metrics: [
      'sleepers',
      'sleep_per_s',
      'bytes_per_job',
      'few_start_ms',
      'few_due_ms',
      'few_rss_mib',
      'few_list_ms',
      'many_start_ms',
      'many_due_ms',
      'many_rss_mib',
      'many_list_ms',
    ],
    bounds: ['sync_per_s'],
  },
  depth: {
    metrics: [
      'finished_jobs',
      'pending_jobs',
      'stored_mib',
      ...['few', 'full'].flatMap((store) =>
        ['publish_per_s', 'drain_per_s', 'start_ms', 'list_ms', 'rss_mib'].map((name) => `${store}_${name}`),
      ),
      'publish_ratio',
      'drain_ratio',
    ],
    bounds: ['sync_per_s'],
  },
  // Of the others only what is installed: in a test none is.
  compare: {
    metrics: [
      'mvm_ci_drain_jobs_per_s',
      'mvm_ci_publish1_per_s',
      'mvm_ci_publish64_per_s',
      'mvm_ci_publish_bulk_per_s',
      'mvm_ci_publish_to_start_p50_ms',
      'mvm_ci_publish_to_start_p99_ms',
    ],
    bounds: ['sync_per_s'],
  },
  soak: { metrics: ['minutes', 'jobs', 'jobs_per_s', 'busy_jobs', 'effects'], bounds: ['sync_per_s'] },
} as const;

for (const [name, expected] of Object.entries(figures)) {
  test(`the ${name} bench ends with one line of JSON, loses nothing, does nothing twice and leaves nothing`, async () => {
    using bench = new BenchProcess(benchMain(name), ['--json']);
    const { code, stdout, stderr } = await bench.ended;
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trim().split('\n').length, 1);
    const { metrics, bounds, cores, ...rest } = JSON.parse(stdout);
    assert.deepEqual(rest, { bench: name, lost: 0, duplicated: 0, sync: 'full', node: process.versions.node });
    assert.ok(cores > 0);
    assert.deepEqual(
      expected.metrics.filter((metric) => !(metrics[metric] > 0)),
      [],
      'these metrics are missing',
    );
    assert.deepEqual(
      expected.bounds.filter((bound) => !(bounds[bound] > 0)),
      [],
      'these bounds are missing',
    );
    assert.deepEqual(bench.leftFiles, []);
    assert.deepEqual(bench.leftProcesses, []);
  });
}

test('a bench that is interrupted while its cluster is up leaves no process and no file', async () => {
  using bench = new BenchProcess(benchMain('queue'), []);
  const { stderr } = bench.child;
  assert.ok(stderr);
  let said = '';
  while (!said.includes('published over HTTP')) {
    const [chunk]: unknown[] = await once(stderr, 'data');
    said += String(chunk);
  }
  bench.child.kill('SIGINT');
  const { code, stdout } = await bench.ended;
  assert.equal(code, 130);
  assert.equal(stdout, '');
  assert.deepEqual(bench.leftFiles, []);
  assert.deepEqual(bench.leftProcesses, []);
});

test('a bench refuses an option that it does not know', async () => {
  using bench = new BenchProcess(benchMain('queue'), ['--fast']);
  const { code, stderr } = await bench.ended;
  assert.notEqual(code, 0);
  assert.match(stderr, /--fast/);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { z } from 'zod';
import { BenchProcess } from './bench-process.ts';

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
} as const;

const lineSchema = z.strictObject({
  bench: z.string(),
  metrics: z.record(z.string(), z.number().positive()),
  bounds: z.record(z.string(), z.number().positive()),
  lost: z.literal(0),
  duplicated: z.literal(0),
  sync: z.literal('full'),
  node: z.literal(process.versions.node),
  cores: z.number().int().positive(),
});

for (const [name, expected] of Object.entries(figures)) {
  test(`the ${name} bench ends with one line of JSON, loses nothing, does nothing twice and leaves nothing`, async () => {
    using bench = new BenchProcess(name, ['--json']);
    const { code, stdout, stderr } = await bench.ended;
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trim().split('\n').length, 1);
    const line = lineSchema.parse(JSON.parse(stdout));
    assert.equal(line.bench, name);
    for (const metric of expected.metrics) assert.ok(metric in line.metrics, `no metric ${metric}`);
    for (const bound of expected.bounds) assert.ok(bound in line.bounds, `no bound ${bound}`);
    assert.deepEqual(bench.leftFiles, []);
    assert.deepEqual(bench.leftProcesses, []);
  });
}

test('a bench that is interrupted while its cluster is up leaves no process and no file', async () => {
  using bench = new BenchProcess('queue', []);
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
  using bench = new BenchProcess('queue', ['--fast']);
  const { code, stderr } = await bench.ended;
  assert.notEqual(code, 0);
  assert.match(stderr, /--fast/);
});

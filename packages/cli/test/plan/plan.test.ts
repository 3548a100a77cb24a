import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { capacityOf } from '../../src/plan/capacity.ts';
import { planCluster, type PlanQuestion } from '../../src/plan/plan.ts';
import { shippedCapacity } from '../../src/plan/shipped-capacity.ts';
import { runCommand } from '../fixtures/fake-host.ts';
import { sampleCell, sampleReport } from '../load/sample-report.ts';

const options = [1, 2, 3, 4] as const;
const report = sampleReport(options.flatMap((option) => [sampleCell(option, 1, 20), sampleCell(option, 10, 40)]));
const capacity = capacityOf(report, 'report.json');

const question: PlanQuestion = {
  workers: 10,
  ratePerS: 2,
  jobCpuMs: 20,
  jobMs: 20,
  jobMemoryMib: 8,
  testing: false,
  orchestrator: false,
  processors: 2,
};

const chosen = (change: Partial<PlanQuestion>): number => planCluster({ ...question, ...change }, capacity).option;

test('memory is taken from the largest cluster and work from the fastest', () => {
  const [first, , third] = capacity.options;
  assert.ok(first && third);
  assert.deepEqual([first.controlPlaneMib, first.workerMib, first.engineMib, third.engineMib], [200, 180, 0, 160]);
  assert.equal(first.throughputMaxPerS, 40);
  // 3 s of processor for 100 jobs, of which 2 s are the jobs' own.
  assert.equal(first.overheadCpuMs.toFixed(3), '10.000');
  assert.equal(first.controlPlaneCpuMs.toFixed(3), '5.000');
});

test('the option follows the decision matrix', () => {
  assert.equal(chosen({ testing: true, workers: 4 }), 2);
  assert.equal(chosen({ testing: true, workers: 5 }), 4);
  assert.equal(chosen({ workers: 19 }), 4);
  assert.equal(chosen({ workers: 20 }), 1);
  assert.equal(chosen({ workers: 101 }), 1);
  assert.equal(chosen({ workers: 5, orchestrator: true }), 3);
});

test('one shared engine is not taken for a rate beyond what it was measured to do', () => {
  // 0.7 × 40/s × 30 ms ÷ 30 ms
  assert.equal(chosen({ ratePerS: 28 }), 4);
  const plan = planCluster({ ...question, ratePerS: 28.1 }, capacity);
  assert.equal(plan.option, 1);
  assert.match(
    plan.why.join('\n'),
    /one shared engine does 28 such jobs a second, fewer than 28.1: option 1 instead of 4/,
  );
  assert.equal(chosen({ ratePerS: 20, jobCpuMs: 50, jobMs: 50 }), 1);
});

test('processors, workers and memory are what the arithmetic says', () => {
  const plan = planCluster({ ...question, workers: 30, ratePerS: 100, jobMs: 700 }, capacity);
  // 100/s × 30 ms = 3 busy; ÷ 0.7 = 4.3
  assert.deepEqual([plan.option, plan.processors, plan.engines, plan.fits], [1, 5, 0, true]);
  // 200 + 30 × 180, and 100/s × 0.7 s ÷ 0.7 = 100 jobs of 8 MiB
  assert.equal(plan.memoryMib, 200 + 30 * 180 + 100 * 8);
});

test('too few workers with engines are told, with the number that it takes', () => {
  const plan = planCluster({ ...question, workers: 20, ratePerS: 2_000, processors: 1 }, capacity);
  assert.equal(plan.fits, false);
  assert.match(plan.why.at(-1) ?? '', /^20 workers are too few: it takes 86$/);
});

test('a pool has an engine for each machine full of work, and at least two', () => {
  const pool = { ...question, orchestrator: true };
  assert.equal(planCluster(pool, capacity).engines, 2);
  const plan = planCluster({ ...pool, ratePerS: 200 }, capacity);
  assert.equal(plan.engines, 5);
  assert.equal(plan.memoryMib, 200 + 10 * 100 + 5 * 160 + 6 * 8);
});

test('more work never needs fewer processors, less memory or fewer workers', () => {
  const amount = fc.integer({ min: 1, max: 500 });
  fc.assert(
    fc.property(amount, amount, amount, fc.boolean(), (workers, rate, cpu, orchestrator) => {
      const less = { ...question, workers, ratePerS: rate, jobCpuMs: cpu, jobMs: cpu, orchestrator };
      const [a, b] = [less, { ...less, ratePerS: rate * 2 }].map((one) => planCluster(one, capacity));
      assert.ok(a && b);
      if (a.option !== b.option) return;
      assert.ok(b.processors >= a.processors && b.memoryMib >= a.memoryMib && b.engines >= a.engines);
    }),
  );
});

test('an option that was not measured is named, with what to do', () => {
  const partly = capacityOf(sampleReport([sampleCell(4, 1, 20)]), 'part.json');
  assert.throws(() => planCluster({ ...question, workers: 50 }, partly), /option 1 .* not measured in part.json/);
});

test('the numbers that are shipped cover all four options', () => {
  assert.deepEqual(
    shippedCapacity.options.map(({ option }) => option),
    [...options],
  );
});

const line = ['plan', '--workers', '10', '--rate', '2', '--job-cpu-ms', '20', '--job-memory', '8'];

test('mvm-ci plan shows the arithmetic line by line, and where its numbers are from', async () => {
  const { code, stdout } = await runCommand(line);
  assert.equal(code, 0);
  assert.match(stdout, /^option +4$/m);
  assert.match(stdout, /2\/s × [\d.]+ ms ÷ 1000 = [\d.]+$/m);
  assert.match(stdout, /Measured numbers: docs\/capacity.md/);
});

test('mvm-ci plan goes by a measured report, and says so', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mvm-ci-test-'));
  try {
    await writeFile(join(folder, 'report.json'), JSON.stringify(report));
    const { stdout } = await runCommand([...line, '--measured', 'report.json', '--json'], { cwd: folder });
    const plan = planCluster(question, { ...capacity, source: 'report.json' });
    assert.deepEqual(JSON.parse(stdout), plan);
    await writeFile(join(folder, 'report.json'), '{"format":"mvm-ci-load/1"}');
    const refused = await runCommand([...line, '--measured', 'report.json'], { cwd: folder });
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /--measured report.json is no report/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test('mvm-ci plan refuses amounts that are none, and a job that computes for longer than it runs', async () => {
  assert.equal((await runCommand(line.with(4, '0'))).code, 2);
  const { code, stderr } = await runCommand([...line, '--job-ms', '5']);
  assert.equal(code, 2);
  assert.match(stderr, /--job-ms 5 is less than --job-cpu-ms 20/);
});

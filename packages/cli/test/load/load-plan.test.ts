import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellsOf, demandFeasible, expectedMib, type LoadPlan } from '../../src/load/load-plan.ts';
import { runCommand } from '../fixtures/fake-host.ts';

const plan: LoadPlan = {
  jobs: [10, 20],
  workers: [1, 3],
  options: [1, 4],
  workflow: 'cpu',
  cpuMs: 20,
  sleepMs: 0,
  requests: 0,
  slots: 16,
  engines: 3,
};

test('cells go by option, then by workers, then by jobs, so that a cluster only grows', () => {
  const cells = cellsOf(plan).map(({ option, workers, jobs }) => `${option}/${workers}/${jobs}`);
  assert.deepEqual(cells, ['1/1/10', '1/1/20', '1/3/10', '1/3/20', '4/1/10', '4/1/20', '4/3/10', '4/3/20']);
});

test('more workers than the free memory holds are refused, with the numbers', () => {
  const many = { ...plan, workers: [100] };
  const needed = expectedMib(many);
  assert.ok(needed > 100 * 50, `100 workers need more than ${needed} MiB`);
  assert.doesNotThrow(() => demandFeasible(many, needed * 2));
  assert.throws(() => demandFeasible(many, needed), {
    code: 'INVALID_ARGUMENT',
    message: /^100 workers need about \d+ MiB, and of the \d+ MiB that are free at most 90 % may be used: .*--force$/,
  });
});

test('a machine without /proc is refused', () => {
  assert.throws(() => demandFeasible(plan, undefined), { code: 'INVALID_ARGUMENT', message: /needs Linux/ });
});

test('too many jobs in all cells are refused', () => {
  const jobs = Array.from({ length: 20 }, (_, index) => 20_000 - index);
  const long = { ...plan, jobs, workers: [1, 2, 3] };
  assert.throws(() => demandFeasible(long, 1e9), { code: 'INVALID_ARGUMENT', message: /at most 500000 jobs/ });
});

for (const [args, rule] of [
  [['--jobs', '0'], /from 1 to 20000/],
  [['--workers', '1,x'], /whole number from 1 to 200/],
  [['--option', '5'], /from 1 to 4/],
  [['--workflow', 'gpu'], /cpu, io, mixed/],
  [['--jobs', Array.from({ length: 21 }, (_, index) => index + 1).join(',')], /at most 20 numbers, received 21/],
] as const) {
  test(`load ${args[0]} ${args[1].slice(0, 10)} is a usage error that names the rule`, async () => {
    const { code, stderr } = await runCommand(['load', ...args]);
    assert.equal(code, 2);
    assert.match(stderr, rule);
  });
}

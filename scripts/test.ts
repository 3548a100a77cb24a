/**
 * `npm test [-- PATH…]`: the checks, then every test file but those of containers and microVMs. With paths, only the test files under them
 * and no checks.
 *
 * Files run two at a time, those in tests/e2e (clusters of real processes) one at a time. The last lines are the totals
 * of all, in the form of Node's own summary.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { finished } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

type Counts = Record<'tests' | 'suites' | 'passed' | 'failed' | 'cancelled' | 'skipped' | 'todo', number>;

const root = fileURLToPath(new URL('..', import.meta.url));
const testGlobs = ['packages/*/test/**/*.test.ts', 'tests/**/*.test.ts', 'examples/**/*.test.ts'];
/** A file that takes longer hangs: it fails, and the others go on. */
const fileTimeoutMs = 10 * 60_000;
/** When the file's process is killed if it did not answer the timeout. */
const fileKillMs = fileTimeoutMs + 15_000;
/** The checks that are not test files themselves: tests/tidy is among the files. */
const checks = ['types', 'lint', 'unused', 'dependencies', 'format'];

/** They need a Docker engine or QEMU: `npm run test:containers` and `npm run test:microvm` run them. */
const testsApart = ['tests/containers', 'tests/microvm'].map((path) => resolve(root, path));

const isUnder = (file: string, path: string): boolean => file === path || file.startsWith(path + sep);

const isApart = (file: string): boolean => testsApart.some((path) => isUnder(file, path));

const findFiles = (filters: readonly string[]): readonly string[] => {
  const paths = filters.map((filter) => resolve(filter));
  const files = globSync(testGlobs, { cwd: root, exclude: ['**/node_modules/**'] }).map((file) => resolve(root, file));
  const isChosen = (file: string): boolean =>
    paths.length === 0 ? !isApart(file) : paths.some((path) => isUnder(file, path));
  return files.filter(isChosen).toSorted();
};

/** Runs the files, each in a process of its own, prints them as they end, and resolves with the counts. */
const runFiles = async (files: readonly string[], concurrency: number): Promise<Counts> => {
  const total: Counts = { tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 };
  if (files.length === 0) return total;
  const events = run({
    files: [...files],
    concurrency,
    timeout: fileTimeoutMs,
    cwd: root,
    execArgv: ['--import', resolve(root, 'scripts/test-watchdog.ts')],
    env: { ...process.env, MVM_TEST_KILL_MS: String(fileKillMs) },
  });
  events.on('test:summary', ({ file, counts }) => {
    if (file === undefined) Object.assign(total, counts);
  });
  const printed = events.compose(new spec());
  printed.pipe(process.stdout, { end: false });
  await finished(printed);
  return total;
};

const printTotals = (parts: readonly Counts[], startedMs: number): Counts => {
  const sum = (key: keyof Counts): number => parts.reduce((count, part) => count + part[key], 0);
  const total: Counts = {
    tests: sum('tests'),
    suites: sum('suites'),
    passed: sum('passed'),
    failed: sum('failed'),
    cancelled: sum('cancelled'),
    skipped: sum('skipped'),
    todo: sum('todo'),
  };
  const labels = { ...total, pass: total.passed, fail: total.failed, duration_ms: performance.now() - startedMs };
  for (const label of ['tests', 'suites', 'pass', 'fail', 'cancelled', 'skipped', 'todo', 'duration_ms'] as const) {
    console.log(`# ${label} ${labels[label]}`);
  }
  return total;
};

const main = async (filters: readonly string[]): Promise<boolean> => {
  const startedMs = performance.now();
  const files = findFiles(filters);
  if (files.length === 0) {
    console.error(
      `no test file lies under ${filters.join(', ')}: give a folder such as packages/net, or a *.test.ts file`,
    );
    return false;
  }
  const checksPassed =
    filters.length > 0 ||
    spawnSync(process.execPath, [resolve(root, 'scripts/check.ts'), ...checks], { stdio: 'inherit' }).status === 0;

  const isCluster = (file: string): boolean => isUnder(file, resolve(root, 'tests/e2e')) || isApart(file);
  const parts = [
    await runFiles(
      files.filter((file) => !isCluster(file)),
      2,
    ),
    await runFiles(files.filter(isCluster), 1),
  ];
  if (!checksPassed) console.log('\nnpm run check failed, whatever the totals say: see the first lines.');
  const { tests, failed, cancelled } = printTotals(parts, startedMs);
  return checksPassed && tests > 0 && failed === 0 && cancelled === 0;
};

process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;

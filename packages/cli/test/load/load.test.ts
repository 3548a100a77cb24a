import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadReportSchema, type LoadReport } from '../../src/load/report/load-report.ts';
import { CliProcess } from '../fixtures/cli-process.ts';
import { childrenOf, ended } from '../fixtures/linux-processes.ts';

const readReport = async (path: string): Promise<LoadReport> =>
  loadReportSchema.parse(JSON.parse(await readFile(path, 'utf8')));

const livingProcesses = ({ cells }: LoadReport): readonly number[] =>
  cells.flatMap(({ processes }) => processes.map(({ pid }) => pid)).filter((pid) => existsSync(`/proc/${pid}`));

const inFolder = async (run: (folder: string) => Promise<void>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'mvm-ci-test-'));
  try {
    await run(folder);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('mvm-ci-load-')),
      [],
      'the data folders of its clusters are removed',
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

test(
  'a load test runs real clusters of two options, loses nothing, and leaves nothing behind',
  { timeout: 180_000 },
  () =>
    inFolder(async (folder) => {
      const cluster = ['--option', '1,3', '--engines', '2', '--workers', '1,2', '--jobs', '6', '--workflow', 'mixed'];
      const job = ['--cpu-ms', '2', '--sleep-ms', '5', '--requests', '2'];
      await using load = new CliProcess(['load', ...cluster, ...job, '--out', folder], { env: { TMPDIR: folder } });
      const { code, stdout, stderr } = await load.end();
      assert.equal(code, 0, stderr);
      const report = await readReport(join(folder, 'load.json'));
      assert.deepEqual(
        report.cells.map(({ option, workers, engines, processes }) => [option, workers, engines, processes.length]),
        [
          [1, 1, 0, 2],
          [1, 2, 0, 3],
          [3, 1, 2, 4],
          [3, 2, 2, 5],
        ],
      );
      for (const cell of report.cells) {
        assert.deepEqual([cell.jobs, cell.lost, cell.duplicated, cell.unfinished], [6, 0, 0, 0]);
        assert.ok(cell.throughput_per_s > 0);
        const { publish_to_end: end, run } = cell.latency_ms ?? {};
        assert.ok(run && end && run.p50 >= 5 && end.max >= run.p50, 'a job sleeps 5 ms, and ends after it started');
        assert.ok(cell.processes.every(({ rss_mib_max, pss_mib }) => pss_mib > 10 && rss_mib_max >= pss_mib / 2));
      }
      assert.ok(report.settings.rounds_per_ms > 0);
      assert.deepEqual(livingProcesses(report), []);
      assert.equal(stdout.trim(), (await readFile(join(folder, 'load.md'), 'utf8')).trim());
      assert.match(await readFile(join(folder, 'load.html'), 'utf8'), /^<!doctype html>/);
    }),
);

test('a report that can not be written is refused before anything is measured, with the flag that named it', () =>
  inFolder(async (folder) => {
    const file = join(folder, 'a-file');
    await writeFile(file, 'mine');
    for (const [flag, path] of [
      ['--out', file],
      ['--html', join(file, 'load.html')],
      ['--markdown', folder],
      ['--json', folder],
    ] as const) {
      await using load = new CliProcess(['load', '--option', '2', '--workers', '1', '--jobs', '1', flag, path]);
      const { code, stdout, stderr } = await load.end();
      assert.deepEqual([code, stdout], [2, ''], stderr);
      assert.match(stderr, new RegExp(`INVALID_ARGUMENT.*${flag}: .* can't be written: `));
      assert.doesNotMatch(stderr, /arithmetic|\n +at /, 'nothing was measured, and no stack is shown');
    }
    assert.equal(await readFile(file, 'utf8'), 'mine');
  }));

test('Ctrl-C ends every process and still reports the cells that were measured', { timeout: 180_000 }, () =>
  inFolder(async (folder) => {
    const file = join(folder, 'load.json');
    const args = ['--option', '2', '--workers', '1', '--jobs', '2,500', '--workflow', 'io', '--sleep-ms', '300'];
    await using load = new CliProcess(['load', ...args, '--slots', '2', '--json', file], { env: { TMPDIR: folder } });
    await load.logged('option 2, 1 workers, 2 jobs');
    load.signal('SIGINT');
    const { code, stderr } = await load.end();
    assert.equal(code, 1, stderr);
    const report = await readReport(file);
    assert.deepEqual([report.interrupted, report.failure, report.cells.length], [true, null, 1]);
    assert.deepEqual(livingProcesses(report), []);
  }),
);

test('SIGKILL leaves no process and no folder behind', { timeout: 180_000 }, () =>
  inFolder(async (folder) => {
    const args = ['--option', '3', '--engines', '1', '--workers', '2', '--jobs', '2,500', '--workflow', 'io'];
    await using load = new CliProcess(['load', ...args, '--sleep-ms', '300', '--slots', '2'], {
      env: { TMPDIR: folder },
    });
    await load.logged('option 3, 2 workers, 2 jobs');
    const children = await childrenOf(load.pid);
    assert.ok(
      children.length >= 5,
      'a control plane, an engine server, two workers, and what removes the folder are there',
    );
    load.signal('SIGKILL');
    await ended(children);
  }),
);

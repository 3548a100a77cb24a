import { join } from 'node:path';
import { mvmError } from '@mvm-ci/protocol';
import { InvalidArgumentError, Option } from 'commander';
import { openContext, pathFrom, type CommandContext } from '../command-context.ts';
import { defaults } from '../config/setting.ts';
import { answerInterrupts } from '../interrupt.ts';
import { loadLimits } from '../limits.ts';
import {
  cellsOf,
  demandFeasible,
  workloads,
  type LoadPlan,
  type OptionNumber,
  type Workload,
} from '../load/load-plan.ts';
import { availableMib } from '../load/process-usage.ts';
import { faultsOf, type LoadReport } from '../load/report/load-report.ts';
import { loadMarkdown } from '../load/report/markdown.ts';
import { prepareFiles, writeFiles, type ReportFile } from '../load/report/report-files.ts';
import { wholeNumber } from '../option-value.ts';
import { exitCodes } from '../output/failure.ts';
import { examples, type Registrar } from './registrar.ts';

interface LoadFlags {
  readonly jobs?: readonly number[];
  readonly workers?: readonly number[];
  readonly option: readonly number[];
  readonly workflow: Workload;
  readonly cpuMs: number;
  readonly sleepMs: number;
  readonly requests: number;
  readonly slots: number;
  readonly engines: number;
  readonly quick?: boolean;
  readonly force?: boolean;
  readonly json?: boolean | string;
  readonly markdown?: string;
  readonly html?: string;
  readonly out?: string;
}

const help = `
Starts clusters of real processes on this machine (a control plane on a fresh folder, engine servers as the option needs them, workers), publishes
the jobs of each cell at once, and measures until all have ended: throughput, latencies, processors and memory of every process, jobs lost and
duplicated. The options: 1 an engine in each worker, 2 the control plane's over the peer plane, 3 a pool of engine servers, 4 an engine server
beside the control plane. The exit code is 1 when a job was lost, duplicated or did not end. Ctrl-C ends all processes and reports what was measured.
It needs Linux, and refuses more workers than the free memory holds.
${examples(
  'load --quick',
  'load --option 1,4 --workers 1,5,20 --jobs 100,500 --workflow mixed --html load.html',
  'load --out report',
)}`;

/** Reads an option as whole numbers, comma-separated; they come back ascending, each once. */
const numberList =
  (min: number, max: number): ((text: string) => readonly number[]) =>
  (text) => {
    const numbers = new Set(text.split(',').map(wholeNumber(min, max)));
    if (numbers.size <= loadLimits.listMax) return [...numbers].toSorted((a, b) => a - b);
    throw new InvalidArgumentError(`it must be at most ${loadLimits.listMax} numbers, received ${numbers.size}.`);
  };

const full = { jobs: [100, 500, 1_000], workers: [1, 5, 20, 50, 100] };
const quick = { jobs: [50, 100], workers: [1, 2, 4] };

/** `mvm-ci load` */
export const registerLoad = ({ program, host, exit }: Registrar): void => {
  const command = program.command('load').description('measure clusters of this machine under load');
  command
    .option('--jobs <counts>', 'jobs of a cell (default 100,500,1000)', numberList(1, loadLimits.jobsMax))
    .option('--workers <counts>', 'workers (default 1,5,20,50,100)', numberList(1, loadLimits.workersMax))
    .option('--option <numbers>', 'where jobs run, 1 to 4', numberList(1, 4), [1, 2, 3, 4])
    .addOption(new Option('--workflow <kind>', 'what jobs do').choices(workloads).default('cpu'))
    .option('--cpu-ms <ms>', 'processor time of a job, for cpu and mixed', wholeNumber(1, loadLimits.jobMsMax), 20)
    .option('--sleep-ms <ms>', 'what a job sleeps, for io and mixed', wholeNumber(0, loadLimits.jobMsMax), 50)
    .option('--requests <count>', 'HTTP requests of a job, for io and mixed', wholeNumber(0, loadLimits.requestsMax), 2)
    .option('--slots <count>', 'jobs at once of each worker', wholeNumber(1, loadLimits.slotsMax), defaults.slots)
    .option('--engines <count>', 'engine servers of option 3', wholeNumber(1, loadLimits.enginesMax), 3)
    .option('--quick', `a minute or two: jobs ${quick.jobs.join()}, workers ${quick.workers.join()}`)
    .option('--force', 'start also when memory may not suffice')
    .option('--json [file]', 'write the report as JSON to a file, or print it instead of text')
    .option('--markdown <file>', 'write the report as Markdown')
    .option('--html <file>', 'write the report as one HTML file with plots')
    .option('--out <folder>', 'write all three there: load.json, load.md, load.html')
    .addHelpText('after', help)
    .action(async (flags: LoadFlags) => {
      const context = openContext(host, { json: flags.json === true });
      const plan = planOf(flags);
      if (flags.force !== true) demandFeasible(plan, availableMib());
      const files = await filesOf(context, flags);
      await prepareFiles(files);
      const report = await measure(context, plan);
      // Before the files: a disk that has filled up meanwhile leaves at least this.
      context.terminal.result(report, () => loadMarkdown(report));
      await writeFiles(files, report, (path) => context.terminal.note(`written: ${path}`));
      if (report.failure !== null) throw mvmError('UNAVAILABLE', `the load test failed: ${report.failure}`);
      if (faultsOf(report) > 0 || report.interrupted) exit(exitCodes.failed);
    });
};

const planOf = (flags: LoadFlags): LoadPlan => {
  const { workflow, cpuMs, sleepMs, requests, slots, engines } = flags;
  const usual = flags.quick === true ? quick : full;
  return {
    jobs: flags.jobs ?? usual.jobs,
    workers: flags.workers ?? usual.workers,
    options: flags.option.filter(isOption),
    workflow,
    cpuMs,
    sleepMs,
    requests,
    slots,
    engines,
  };
};

const isOption = (number: number): number is OptionNumber => number >= 1 && number <= 4;

const measure = async ({ host, terminal }: CommandContext, plan: LoadPlan): Promise<LoadReport> => {
  const [{ runLoad }, { loadProgress }] = await Promise.all([
    import('../load/run-load.ts'),
    import('../load/progress-bar.ts'),
  ]);
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  const quiet = answerInterrupts(host, { drain: stop, stop });
  const jobs = cellsOf(plan).reduce((sum, cell) => sum + cell.jobs, 0);
  try {
    using progress = loadProgress(jobs, {
      isTTY: host.stderr.isTTY === true && !terminal.isJson,
      note: (text) => terminal.note(text),
    });
    return await runLoad({ plan, env: host.env, signal: stopped.signal, progress });
  } finally {
    quiet();
  }
};

const filesOf = async ({ host }: CommandContext, flags: LoadFlags): Promise<readonly ReportFile[]> => {
  const { loadHtml } = await import('../load/report/html.ts');
  const json = (report: LoadReport): string => `${JSON.stringify(report, null, 1)}\n`;
  const inFolder = (name: string): string | undefined => (flags.out === undefined ? undefined : join(flags.out, name));
  const named: readonly (readonly [string, string | undefined, ReportFile['text']])[] = [
    ['--json', typeof flags.json === 'string' ? flags.json : undefined, json],
    ['--out', inFolder('load.json'), json],
    ['--markdown', flags.markdown, loadMarkdown],
    ['--out', inFolder('load.md'), loadMarkdown],
    ['--html', flags.html, loadHtml],
    ['--out', inFolder('load.html'), loadHtml],
  ];
  return named.flatMap(([flag, file, text]) =>
    file === undefined ? [] : [{ flag, path: pathFrom(host, file), text }],
  );
};

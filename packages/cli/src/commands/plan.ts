import { readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { ArgumentError } from '../argument-error.ts';
import { openContext, pathFrom, withJson } from '../command-context.ts';
import type { Host } from '../host.ts';
import { loadLimits, planLimits } from '../limits.ts';
import { loadReportSchema } from '../load/report/load-report.ts';
import { positiveNumber, wholeNumber } from '../option-value.ts';
import type { Terminal } from '../output/terminal.ts';
import { capacityOf, type Capacity } from '../plan/capacity.ts';
import { planCluster, type ClusterPlan } from '../plan/plan.ts';
import { shippedCapacity } from '../plan/shipped-capacity.ts';
import { examples, type Registrar } from './registrar.ts';

interface PlanFlags {
  readonly workers: number;
  readonly rate: number;
  readonly jobCpuMs: number;
  readonly jobMs?: number;
  readonly jobMemory: number;
  readonly processors: number;
  readonly testing?: boolean;
  readonly orchestrator?: boolean;
  readonly measured?: string;
  readonly json?: boolean;
}

const help = `
Which option (1 an engine in each worker, 2 the control plane's, 3 a pool of engine servers, 4 an engine server beside the control plane), how many
engines and how much memory, and why; each number with its arithmetic. Without --measured it goes by a run on a machine of two processors
(docs/capacity.md); measure your own with: npx mvm-ci load --json report.json
${examples(
  'plan --workers 10 --rate 5 --job-cpu-ms 50 --job-memory 20',
  'plan --workers 60 --rate 200 --job-cpu-ms 20 --job-ms 500 --job-memory 8 --measured report.json',
)}`;

/** `mvm-ci plan` */
export const registerPlan = ({ program, host }: Registrar): void => {
  const command: Command = withJson(program.command('plan').description('say which cluster a load needs, and why'));
  const amount = positiveNumber(planLimits.amountMax);
  command
    .requiredOption('--workers <count>', 'workers that you have in mind', wholeNumber(1, planLimits.workersMax))
    .requiredOption('--rate <jobs>', 'jobs a second', amount)
    .requiredOption('--job-cpu-ms <ms>', 'processor time of a job', amount)
    .requiredOption('--job-memory <MiB>', 'what a job holds while it runs', amount)
    .option('--job-ms <ms>', 'from start to end of a job, with what it waits for (default: its processor time)', amount)
    .option('--processors <count>', "of each worker's or engine's machine", wholeNumber(1, planLimits.processorsMax), 2)
    .option('--testing', 'to try it out, not for production')
    .option('--orchestrator', 'an orchestrator such as Kubernetes is there for a pool of engines')
    .option('--measured <report.json>', 'go by the report of mvm-ci load')
    .addHelpText('after', help)
    .action((flags: PlanFlags) => {
      const { terminal } = openContext(host, { json: flags.json === true });
      const plan = planned(flags, capacityFor(host, flags.measured));
      terminal.result(plan, () => planText(plan, terminal));
    });
};

const planned = (flags: PlanFlags, capacity: Capacity): ClusterPlan => {
  const { workers, rate, jobCpuMs, jobMs = jobCpuMs, jobMemory, processors, testing, orchestrator } = flags;
  if (jobMs < jobCpuMs)
    throw new ArgumentError('INVALID_ARGUMENT', `--job-ms ${jobMs} is less than --job-cpu-ms ${jobCpuMs}`);
  const question = {
    workers,
    ratePerS: rate,
    jobCpuMs,
    jobMs,
    jobMemoryMib: jobMemory,
    processors,
    testing: testing === true,
    orchestrator: orchestrator === true,
  };
  try {
    return planCluster(question, capacity);
  } catch (error) {
    if (error instanceof RangeError) throw new ArgumentError('INVALID_ARGUMENT', error.message);
    throw error;
  }
};

const capacityFor = (host: Host, file: string | undefined): Capacity => {
  if (file === undefined) return shippedCapacity;
  return capacityOf(readReport(pathFrom(host, file), file), file);
};

/** @throws INVALID_ARGUMENT when the file is no report */
const readReport = (path: string, name: string): ReturnType<typeof loadReportSchema.parse> => {
  const text = textOf(path, name);
  try {
    return loadReportSchema.parse(JSON.parse(text));
  } catch {
    throw new ArgumentError('INVALID_ARGUMENT', `--measured ${name} is no report that mvm-ci load --json wrote`);
  }
};

const textOf = (path: string, name: string): string => {
  try {
    const { size } = statSync(path);
    if (size <= loadLimits.reportBytesMax) return readFileSync(path, 'utf8');
    throw new ArgumentError(
      'INVALID_ARGUMENT',
      `--measured ${name} has ${size} bytes, a report has at most ${loadLimits.reportBytesMax}`,
    );
  } catch (error) {
    if (error instanceof Error && 'syscall' in error)
      throw new ArgumentError('INVALID_ARGUMENT', `--measured ${name} can't be read: ${error.message}`);
    throw error;
  }
};

const planText = (plan: ClusterPlan, terminal: Terminal): string => {
  const { option, workers, engines, memoryMib, processors, fits, why, arithmetic, source } = plan;
  const verdict = terminal.facts([
    ['option', String(option)],
    ['workers', `${workers}${fits ? '' : ' (too few)'}`],
    ['engine servers', String(engines)],
    ['processors', String(processors)],
    ['memory', `${Math.ceil(memoryMib)} MiB`],
  ]);
  const steps = arithmetic.map(({ what, formula, value, unit }) =>
    `  ${what}\n    ${formula} = ${Math.round(value * 10) / 10} ${unit}`.trimEnd(),
  );
  return [
    verdict,
    '',
    'Why:',
    ...why.map((reason) => `  ${reason}`),
    '',
    'Arithmetic:',
    ...steps,
    '',
    `Measured numbers: ${source}`,
  ].join('\n');
};

/** The report of a load test as Markdown, for people and documents. */
import { capacityOf } from '../../plan/capacity.ts';
import { byRole, faultsOf, type CellReport, type LoadReport } from './load-report.ts';

/** All of the report. */
export const loadMarkdown = (report: LoadReport): string =>
  [
    '# Load test',
    facts(report),
    '## Throughput and latency',
    table(cellHead, report.cells.map(cellRow)),
    'Latencies in ms. *Start* and *end* count from the publish: jobs of a cell are published at once, so they are mostly time in the queue. *Run* is from the first step of the workflow to the commit of its end.',
    '## Processors and memory',
    table(usageHead, report.cells.flatMap(usageRows)),
    'Processors in use, of all processes of the role together; memory of one process on average, in MiB: RSS (at most; shared pages count in each process) and PSS (at the end; shared pages count once).',
    '## Saturation',
    table(['option', 'jobs', 'knee: workers', 'jobs/s there', 'best jobs/s', 'why'], saturationRows(report)),
    kneeMethod,
    '## For planning',
    table(capacityHead, capacityRows(report)),
    '`mvm-ci plan --measured` reads these numbers from the JSON report.',
  ].join('\n\n') + '\n';

/** How the saturation point is found, for readers. */
const kneeMethod =
  'The saturation point is the knee of throughput over workers at the largest number of jobs, found by Kneedle (Satopaa, Albrecht, Irwin, Raghavan: Finding a "Kneedle" in a Haystack, ICDCS Workshops 2011) with sensitivity 1 and without smoothing, on the best throughput of at most so many workers. A curve that gains no more than a tenth over its first point is saturated there; one without a knee is not saturated in what was measured.';

const facts = (report: LoadReport): string => {
  const { machine, settings, started_at, seconds, interrupted, failure } = report;
  const work = `${settings.workflow}: ${settings.cpu_ms} ms of processor, ${settings.sleep_ms} ms asleep, ${settings.requests} HTTP requests`;
  const faults = faultsOf(report);
  return [
    `- machine: ${machine.processors} × ${machine.processor}, ${machine.memory_mib} MiB, ${machine.system}, Node ${machine.node}; everything runs on it, this measuring program too`,
    `- each job: ${work}; ${settings.slots} jobs at once for each worker`,
    `- mvm-ci ${report.release}, ${started_at}, ${seconds.toFixed(0)} s`,
    `- lost, duplicated or unfinished jobs: ${faults}`,
    ...(interrupted ? ['- **interrupted**: later cells are missing'] : []),
    ...(failure === null ? [] : [`- **failed**: ${failure}`]),
  ].join('\n');
};

const cellHead = [
  'option',
  'workers',
  'jobs',
  'jobs/s',
  'start p50',
  'start p99',
  'end p50',
  'end p99',
  'run p50',
  'run p99',
  'lost',
  'duplicated',
];

const cellRow = (cell: CellReport): readonly string[] => {
  const ms = cell.latency_ms;
  const { publish_to_start: start, publish_to_end: end, run } = ms ?? {};
  const times = [start?.p50, start?.p99, end?.p50, end?.p99, run?.p50, run?.p99].map((time) => time?.toFixed(0) ?? '–');
  const lost = cell.unfinished === 0 ? String(cell.lost) : `${cell.lost} (${cell.unfinished} unfinished)`;
  return [...namesOf(cell), cell.throughput_per_s.toFixed(1), ...times, lost, String(cell.duplicated)];
};

const usageHead = ['option', 'workers', 'jobs', 'role', 'processes', 'processors', 'RSS', 'PSS'];

const usageRows = (cell: CellReport): readonly (readonly string[])[] =>
  byRole(cell).map(({ role, processes, processors, rssMib, pssMib }) => [
    ...namesOf(cell),
    role,
    String(processes),
    processors.toFixed(2),
    rssMib.toFixed(0),
    pssMib.toFixed(0),
  ]);

const namesOf = ({ option, workers, jobs }: CellReport): readonly string[] => [option, workers, jobs].map(String);

const saturationRows = ({ saturation }: LoadReport): readonly (readonly string[])[] =>
  saturation.map(({ option, jobs, workers, throughput_per_s, throughput_max_per_s, why }) => [
    String(option),
    String(jobs),
    workers === null ? 'none' : String(workers),
    throughput_per_s.toFixed(1),
    throughput_max_per_s.toFixed(1),
    why,
  ]);

const capacityHead = [
  'option',
  'MiB: control plane',
  'engine',
  'worker',
  'ms of processor for a job beyond its own',
  'of the control plane',
  'jobs/s at best',
];

const capacityRows = (report: LoadReport): readonly (readonly string[])[] =>
  capacityOf(report, 'report').options.map((one) => [
    String(one.option),
    one.controlPlaneMib.toFixed(0),
    one.engineMib.toFixed(0),
    one.workerMib.toFixed(0),
    one.overheadCpuMs.toFixed(1),
    one.controlPlaneCpuMs.toFixed(1),
    one.throughputMaxPerS.toFixed(1),
  ]);

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

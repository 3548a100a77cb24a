/** What was measured of the four options, as far as planning needs it. */
import { byRole, type CellReport, type LoadReport, type RoleFigures } from '../load/report/load-report.ts';

/** Where jobs run. */
type OptionNumber = CellReport['option'];

/** One option, measured. */
export interface OptionCapacity {
  readonly option: OptionNumber;
  /** Proportional memory (PSS) of one process, in MiB; the engine's is 0 where no process is an engine alone. */
  readonly controlPlaneMib: number;
  readonly engineMib: number;
  readonly workerMib: number;
  /** Processor time of the whole cluster for a job, beyond the job's own. */
  readonly overheadCpuMs: number;
  /** Processor time of the control plane for a job; with an engine in it (options 2 and 4) the engine's too. */
  readonly controlPlaneCpuMs: number;
  readonly throughputMaxPerS: number;
  /** null when no saturation was seen. */
  readonly kneeWorkers: number | null;
}

/** Measured numbers, and where they are from. */
export interface Capacity {
  readonly source: string;
  /** Processors of the machine that everything ran on. */
  readonly processors: number;
  /** Processor time that each measured job was asked to use. */
  readonly jobCpuMs: number;
  readonly options: readonly OptionCapacity[];
}

/** A cluster's processes. */
export interface ClusterSize {
  readonly option: OptionNumber;
  readonly workers: number;
  readonly engines: number;
}

/** The numbers of a report; of each option those of the best cell with the most workers and jobs. */
export const capacityOf = (report: LoadReport, source: string): Capacity => {
  const { cells, settings, machine } = report;
  const jobCpuMs = settings.workflow === 'io' ? 0 : settings.cpu_ms;
  const numbers = [...new Set(cells.map(({ option }) => option))].toSorted((a, b) => a - b);
  return {
    source,
    processors: machine.processors,
    jobCpuMs,
    options: numbers.map((option) => optionCapacity(report, option, jobCpuMs)),
  };
};

const optionCapacity = ({ cells, saturation }: LoadReport, option: OptionNumber, jobCpuMs: number): OptionCapacity => {
  const all = cells.filter((cell) => cell.option === option);
  // Memory where there are most of them; work where most was done.
  const largest = all.toSorted((a, b) => b.workers - a.workers || b.jobs - a.jobs)[0];
  const best = all.toSorted((a, b) => b.throughput_per_s - a.throughput_per_s)[0];
  const figures = largest === undefined ? [] : byRole(largest);
  const work = best === undefined ? [] : byRole(best);
  const perJob = (roles: readonly RoleFigures[]): number => {
    const done = best?.throughput_per_s ?? 0;
    return done === 0 ? 0 : (1_000 * roles.reduce((sum, role) => sum + role.processors, 0)) / done;
  };
  return {
    option,
    controlPlaneMib: mibOf(figures, 'control-plane'),
    engineMib: mibOf(figures, 'engine'),
    workerMib: mibOf(figures, 'worker'),
    overheadCpuMs: Math.max(0, perJob(work) - jobCpuMs),
    controlPlaneCpuMs: perJob(work.filter(({ role }) => role === 'control-plane')),
    throughputMaxPerS: best?.throughput_per_s ?? 0,
    kneeWorkers: saturation.find((one) => one.option === option)?.workers ?? null,
  };
};

const mibOf = (figures: readonly RoleFigures[], role: RoleFigures['role']): number =>
  figures.find((one) => one.role === role)?.pssMib ?? 0;

/** The option's numbers; undefined when it was not measured. */
export const measuredOption = ({ options }: Capacity, option: OptionNumber): OptionCapacity | undefined =>
  options.find((one) => one.option === option);

/** Memory that the processes of a cluster take, without what jobs hold. 0 for an option that was not measured. */
export const clusterMib = (capacity: Capacity, { option, workers, engines }: ClusterSize): number => {
  const measured = measuredOption(capacity, option);
  if (measured === undefined) return 0;
  return measured.controlPlaneMib + workers * measured.workerMib + engines * measured.engineMib;
};

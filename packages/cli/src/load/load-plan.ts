/** What a load test is asked to do: its cells, and whether the machine can hold them. */
import { shippedCapacity } from '../plan/shipped-capacity.ts';
import { clusterMib, type Capacity } from '../plan/capacity.ts';
import { ArgumentError } from '../argument-error.ts';
import { loadLimits } from '../limits.ts';

/** Where jobs run: docs/guides/deploy-compose.md. */
export type OptionNumber = 1 | 2 | 3 | 4;

/** What jobs do: compute; sleep and ask; both. */
export const workloads = ['cpu', 'io', 'mixed'] as const;
export type Workload = (typeof workloads)[number];

/** All that a load test depends on. */
export interface LoadPlan {
  readonly jobs: readonly number[];
  /** Ascending. */
  readonly workers: readonly number[];
  readonly options: readonly OptionNumber[];
  readonly workflow: Workload;
  /** Processor time of a job, in an idle engine. */
  readonly cpuMs: number;
  readonly sleepMs: number;
  readonly requests: number;
  /** Jobs at once of each worker. */
  readonly slots: number;
  /** Engine servers of option 3. */
  readonly engines: number;
}

/** One measurement: so many jobs, published at once, for so many workers. */
export interface CellPlan {
  readonly option: OptionNumber;
  readonly workers: number;
  readonly jobs: number;
}

/** The cells in the order in which they are measured: one cluster for each option, which only grows. */
export const cellsOf = ({ options, workers, jobs }: LoadPlan): readonly CellPlan[] =>
  options.flatMap((option) => workers.flatMap((count) => jobs.map((size) => ({ option, workers: count, jobs: size }))));

/** What a job of the workload does, of what the plan says. */
export const workOf = ({
  workflow,
  cpuMs,
  sleepMs,
  requests,
}: LoadPlan): Pick<LoadPlan, 'cpuMs' | 'sleepMs' | 'requests'> => ({
  cpuMs: workflow === 'io' ? 0 : cpuMs,
  sleepMs: workflow === 'cpu' ? 0 : sleepMs,
  requests: workflow === 'cpu' ? 0 : requests,
});

/** Engine servers that an option has beside its workers. */
export const engineServersOf = (option: OptionNumber, engines: number): number => (option === 3 ? engines : 0);

/** Memory that the largest cluster of the plan takes, by what was measured before. */
export const expectedMib = (plan: LoadPlan, capacity: Capacity = shippedCapacity): number =>
  Math.max(
    ...plan.options.map((option) =>
      clusterMib(capacity, {
        option,
        workers: Math.max(...plan.workers),
        engines: engineServersOf(option, plan.engines),
      }),
    ),
  );

/** @throws INVALID_ARGUMENT when there is too much to do, or the machine has too little memory for it */
export const demandFeasible = (plan: LoadPlan, availableMib: number | undefined): void => {
  const jobs = cellsOf(plan).reduce((sum, cell) => sum + cell.jobs, 0);
  if (jobs > loadLimits.jobsOfAllCellsMax)
    throw new ArgumentError(
      'INVALID_ARGUMENT',
      `all cells together have at most ${loadLimits.jobsOfAllCellsMax} jobs, these have ${jobs}`,
    );
  if (availableMib === undefined)
    throw new ArgumentError('INVALID_ARGUMENT', 'a load test reads what processes use from /proc: it needs Linux');
  const mib = expectedMib(plan);
  if (mib <= availableMib * loadLimits.memoryShareMax) return;
  const workers = Math.max(...plan.workers);
  const room = `of the ${Math.round(availableMib)} MiB that are free at most ${loadLimits.memoryShareMax * 100} % may be used`;
  throw new ArgumentError(
    'INVALID_ARGUMENT',
    `${workers} workers need about ${Math.round(mib)} MiB, and ${room}: give fewer --workers, or --force`,
  );
};

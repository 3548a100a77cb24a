/** The report of a load test as JSON: what `mvm-ci load --json` writes and `mvm-ci plan --measured` reads. */
import { z } from 'zod';

/** What a process is for. */
export type Role = 'control-plane' | 'engine' | 'worker';
const roles: readonly Role[] = ['control-plane', 'engine', 'worker'];

/** Latencies in ms by the nearest-rank method. */
export interface Percentiles {
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** One process during one cell. */
export interface ProcessFigures {
  readonly role: Role;
  readonly pid: number;
  readonly cpu_s: number;
  readonly rss_mib_max: number;
  readonly pss_mib: number;
}

/** One measurement. */
export interface CellReport {
  readonly option: 1 | 2 | 3 | 4;
  readonly workers: number;
  readonly jobs: number;
  readonly engines: number;
  /** From the first publish to the last end. */
  readonly seconds: number;
  readonly throughput_per_s: number;
  /** null when no job has completed. */
  readonly latency_ms: {
    readonly publish_to_start: Percentiles;
    readonly publish_to_end: Percentiles;
    readonly run: Percentiles;
  } | null;
  /** Acknowledged, and neither completed nor on its way. */
  readonly lost: number;
  /** Listed more than once, or asked the site more than once for the same. */
  readonly duplicated: number;
  /** Requests that were sent again since their answers were lost with a lease: at most one for each lost lease. */
  readonly resent: number;
  readonly unfinished: number;
  readonly lost_leases: number;
  readonly processes: readonly ProcessFigures[];
}

/** Where an option saturates. */
export interface Saturation {
  readonly option: CellReport['option'];
  readonly jobs: number;
  /** null: throughput grows to the end of what was measured, or there are too few points. */
  readonly workers: number | null;
  readonly throughput_per_s: number;
  readonly throughput_max_per_s: number;
  readonly why: string;
}

/** All of it. */
export interface LoadReport {
  readonly format: 'mvm-ci-load/1';
  readonly release: string;
  readonly started_at: string;
  readonly seconds: number;
  readonly interrupted: boolean;
  readonly machine: {
    readonly processor: string;
    readonly processors: number;
    readonly memory_mib: number;
    readonly system: string;
    readonly node: string;
  };
  readonly settings: {
    readonly workflow: 'cpu' | 'io' | 'mixed';
    readonly cpu_ms: number;
    readonly sleep_ms: number;
    readonly requests: number;
    readonly slots: number;
    readonly engines: number;
    readonly rounds_per_ms: number;
  };
  readonly cells: readonly CellReport[];
  readonly saturation: readonly Saturation[];
  /** Why it ended before its last cell; null when it did not. */
  readonly failure: string | null;
}

const number: z.ZodNumber = z.number();
const count: z.ZodNumber = z.int().nonnegative();
const option: z.ZodType<CellReport['option']> = z.union([z.literal(1), z.literal(2), z.literal(3), z.literal(4)]);
const percentiles: z.ZodType<Percentiles> = z.object({ p50: number, p90: number, p99: number, max: number });
const text: z.ZodString = z.string();

const cell: z.ZodType<CellReport> = z.object({
  option,
  workers: count,
  jobs: count,
  engines: count,
  seconds: number,
  throughput_per_s: number,
  latency_ms: z.object({ publish_to_start: percentiles, publish_to_end: percentiles, run: percentiles }).nullable(),
  lost: count,
  duplicated: count,
  resent: count,
  unfinished: count,
  lost_leases: count,
  processes: z.array(
    z.object({
      role: z.enum(['control-plane', 'engine', 'worker']),
      pid: count,
      cpu_s: number,
      rss_mib_max: number,
      pss_mib: number,
    }),
  ),
});

/** Reads a report. */
export const loadReportSchema: z.ZodType<LoadReport> = z.object({
  format: z.literal('mvm-ci-load/1'),
  release: text,
  started_at: text,
  seconds: number,
  interrupted: z.boolean(),
  machine: z.object({ processor: text, processors: count, memory_mib: count, system: text, node: text }),
  settings: z.object({
    workflow: z.enum(['cpu', 'io', 'mixed']),
    cpu_ms: number,
    sleep_ms: number,
    requests: count,
    slots: count,
    engines: count,
    rounds_per_ms: number,
  }),
  cells: z.array(cell).min(1),
  saturation: z.array(
    z.object({
      option,
      jobs: count,
      workers: count.nullable(),
      throughput_per_s: number,
      throughput_max_per_s: number,
      why: text,
    }),
  ),
  failure: text.nullable(),
});

/** Jobs lost, duplicated or unfinished, in all cells: none in a system that works. */
export const faultsOf = ({ cells }: Pick<LoadReport, 'cells'>): number =>
  cells.reduce((sum, { lost, duplicated, unfinished }) => sum + lost + duplicated + unfinished, 0);

/** The processes of one role together. */
export interface RoleFigures {
  readonly role: Role;
  readonly processes: number;
  /** Processors in use on average, all processes together. */
  readonly processors: number;
  /** Of one process, on average. */
  readonly rssMib: number;
  readonly pssMib: number;
}

/** What each role of a cell used. */
export const byRole = ({ processes, seconds }: Pick<CellReport, 'processes' | 'seconds'>): readonly RoleFigures[] =>
  roles.flatMap((role) => {
    const those = processes.filter((one) => one.role === role);
    if (those.length === 0) return [];
    const sum = (of: (one: ProcessFigures) => number): number => those.reduce((all, one) => all + of(one), 0);
    return {
      role,
      processes: those.length,
      processors: seconds === 0 ? 0 : sum((one) => one.cpu_s) / seconds,
      rssMib: sum((one) => one.rss_mib_max) / those.length,
      pssMib: sum((one) => one.pss_mib) / those.length,
    };
  });

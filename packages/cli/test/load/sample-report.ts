import type { CellReport, LoadReport, ProcessFigures } from '../../src/load/report/load-report.ts';

const flat = { p50: 10, p90: 20, p99: 30, max: 40 };

const processOf = (role: ProcessFigures['role'], pss: number, cpu: number): ProcessFigures => ({
  role,
  pid: 1,
  cpu_s: cpu,
  rss_mib_max: pss + 50,
  pss_mib: pss,
});

/** A cell in which a job took 30 ms of processor: 5 the control plane, 25 the workers. */
export const sampleCell = (option: CellReport['option'], workers: number, throughput: number): CellReport => ({
  option,
  workers,
  jobs: 100,
  engines: option === 3 ? 2 : 0,
  seconds: 100 / throughput,
  throughput_per_s: throughput,
  latency_ms: { publish_to_start: flat, publish_to_end: flat, run: flat },
  lost: 0,
  duplicated: 0,
  resent: 0,
  unfinished: 0,
  lost_leases: 0,
  processes: [
    processOf('control-plane', 200, 0.5),
    ...(option === 3 ? [processOf('engine', 150, 0), processOf('engine', 170, 0)] : []),
    ...Array.from({ length: workers }, () => processOf('worker', option === 1 ? 180 : 100, 2.5 / workers)),
  ],
});

/** A report of jobs of 20 ms of processor time. */
export const sampleReport = (cells: readonly CellReport[]): LoadReport => ({
  format: 'mvm-ci-load/1',
  release: '0.1.0',
  started_at: '2026-11-27T00:00:00.000Z',
  seconds: 60,
  interrupted: false,
  machine: { processor: '</script><b>', processors: 2, memory_mib: 8_000, system: 'Linux 6', node: 'v26.10.0' },
  settings: { workflow: 'cpu', cpu_ms: 20, sleep_ms: 0, requests: 0, slots: 16, engines: 2, rounds_per_ms: 9_000 },
  cells,
  saturation: [],
  failure: null,
});

/**
 * A whole load test: for each option a cluster that grows from the smallest number of workers to the largest, and at each size one cell for
 * each number of jobs.
 *
 * 1. What was measured is in the report however the test ends: by a signal, or by a failure.
 * 2. One cluster runs at a time, and none when `runLoad` returns.
 */
import { cpus, release, totalmem, type } from 'node:os';
import process from 'node:process';
import { createClient } from '@mvm-ci/client';
import { asMvmError } from '@mvm-ci/protocol';
import { releaseVersion } from '../version.ts';
import { calibrate } from './calibrate.ts';
import { LoadCluster } from './load-cluster.ts';
import { cellsOf, workOf, type CellPlan, type LoadPlan, type OptionNumber } from './load-plan.ts';
import { LoadSite } from './load-site.ts';
import { deployLoadWorkflow } from './deploy-load-workflow.ts';
import { measureCell, warmUp, type CellContext } from './measure-cell.ts';
import { engineServersOf } from './load-plan.ts';
import { loadLimits } from '../limits.ts';
import type { CellReport, LoadReport } from './report/load-report.ts';
import { saturationOf } from './report/saturation.ts';

/** What the test is told to watch and to tell. */
export interface LoadRun {
  readonly plan: LoadPlan;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  /** Told what is being done, and how many jobs of a cell have ended. */
  readonly progress: LoadProgress;
}

/** Who shows how far it is. */
export interface LoadProgress {
  /** What happens now, before and between cells. */
  doing(text: string): void;
  /** So many jobs of this cell have ended. */
  ended(cell: CellPlan, jobs: number): void;
  /** A cell is measured. */
  measured(cell: CellReport): void;
}

/** Runs it. */
export const runLoad = async (run: LoadRun): Promise<LoadReport> => {
  const { plan, signal } = run;
  const started = new Date();
  const found: Found = { cells: [], roundsPerMs: 0 };
  let failure: string | null = null;
  try {
    await measureAll(run, found);
  } catch (error) {
    if (!signal.aborted) failure = `${asMvmError(error).code}: ${asMvmError(error).message}`;
  }
  return {
    format: 'mvm-ci-load/1',
    release: releaseVersion,
    started_at: started.toISOString(),
    seconds: (Date.now() - started.getTime()) / 1_000,
    interrupted: signal.aborted && found.cells.length < cellsOf(plan).length,
    machine: machineFacts(),
    settings: settingsOf(plan, found.roundsPerMs),
    cells: found.cells,
    saturation: [...saturationOf(found.cells)],
    failure,
  };
};

interface Found {
  readonly cells: CellReport[];
  roundsPerMs: number;
}

const measureAll = async (run: LoadRun, found: Found): Promise<void> => {
  await using site = await LoadSite.start();
  if (workOf(run.plan).cpuMs > 0) {
    run.progress.doing('how much arithmetic is a millisecond');
    // A statement of its own: the sum of what was found is assigned, whatever ran meanwhile.
    const roundsPerMs = await calibrate(run, site);
    Object.assign(found, { roundsPerMs });
  }
  for (const option of run.plan.options) await measureOption({ run, site, found }, option);
};

interface OptionContext {
  readonly run: LoadRun;
  readonly site: LoadSite;
  readonly found: Found;
}

const measureOption = async ({ run, site, found }: OptionContext, option: OptionNumber): Promise<void> => {
  const { plan, signal, progress } = run;
  progress.doing(`option ${option}: starting a cluster`);
  await using cluster = await LoadCluster.start({ ...plan, option, env: run.env, signal });
  const client = createClient({ url: cluster.url });
  const workflow = await deployLoadWorkflow(client, signal);
  const { cpuMs, sleepMs, requests } = workOf(plan);
  const work = { rounds: Math.round(cpuMs * found.roundsPerMs), sleepMs, requests };
  const engines = engineServersOf(option, plan.engines);
  const context = { cluster, client, site, workflow, work, engines, signal, ended: () => undefined };
  for (const workers of plan.workers) {
    progress.doing(`option ${option}: starting workers, ${workers} in all`);
    await cluster.growTo(workers);
    await warmUp(
      context,
      Math.min(loadLimits.warmUpsMax, workers * loadLimits.warmUpsOfWorker),
      `${option}-${workers}`,
    );
    await measureSizes(context, { option, workers, plan, progress, cells: found.cells });
  }
};

interface Sizes {
  readonly option: OptionNumber;
  readonly workers: number;
  readonly plan: LoadPlan;
  readonly progress: LoadProgress;
  readonly cells: CellReport[];
}

const measureSizes = async (
  context: Omit<CellContext, 'ended'>,
  { option, workers, plan, progress, cells }: Sizes,
): Promise<void> => {
  for (const jobs of plan.jobs) {
    const cell = { option, workers, jobs };
    const report = await measureCell({ ...context, ended: (count) => progress.ended(cell, count) }, cell);
    cells.push(report);
    progress.measured(report);
    // What is left would be measured with the next cell's jobs.
    if (report.unfinished > 0)
      throw new Error(`${report.unfinished} jobs had not ended after ${loadLimits.cellMsMax / 1_000} s`);
  }
};

const mib = 1_048_576;

const machineFacts = (): LoadReport['machine'] => ({
  processor: cpus()[0]?.model.trim() ?? 'unknown',
  processors: cpus().length,
  memory_mib: Math.round(totalmem() / mib),
  system: `${type()} ${release()}`,
  node: process.version,
});

const settingsOf = (plan: LoadPlan, roundsPerMs: number): LoadReport['settings'] => {
  const { cpuMs, sleepMs, requests } = workOf(plan);
  return {
    workflow: plan.workflow,
    cpu_ms: cpuMs,
    sleep_ms: sleepMs,
    requests,
    slots: plan.slots,
    engines: plan.engines,
    rounds_per_ms: roundsPerMs,
  };
};

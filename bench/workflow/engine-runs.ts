/**
 * Durable executions in an engine of this process: each runs to its end on a journal that is synced before an effect
 * starts (I4). The effects do nothing, but asynchronously, so that only the engine and the disk are measured.
 */
import type { Engine, SqliteJournals } from '@mvm-ci/engine';
import type { BenchModule } from '../guest/modules.ts';
import { workflows } from '../guest/workflows.ts';
import { Dispenser, runLanes, timed, type Amount } from '../lanes.ts';
import type { Tally } from '../tally.ts';

const attempt = 1;
const readLanes = 64;

/** What to run. */
export interface RunsOptions {
  readonly engine: Engine;
  readonly module: BenchModule;
  readonly journals: SqliteJournals;
  /** Begins the ids of these jobs. */
  readonly prefix: string;
  readonly executions: Amount;
  /** Executions at a time. */
  readonly lanes: number;
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

/** How fast the executions were. */
export interface Runs {
  readonly perSecond: number;
  /** From the start of each to its durable completion, ms. */
  readonly waitsMs: readonly number[];
}

/** Runs workflows of three effects. */
export const measureRuns = async (options: RunsOptions): Promise<Runs> => {
  const { executions, lanes, prefix, tally, signal } = options;
  const dispenser = new Dispenser(executions);
  const waitsMs: number[] = [];
  const seconds = await timed(() =>
    runLanes(lanes, async () => {
      for (let [number] = dispenser.take(1); number !== undefined; [number] = dispenser.take(1)) {
        signal.throwIfAborted();
        const id = `${prefix}-${number}`;
        tally.published([id]);
        waitsMs.push((await timed(() => runOnce(options, id))) * 1_000);
      }
    }),
  );
  return { perSecond: dispenser.taken / seconds, waitsMs };
};

const runOnce = async ({ engine, journals, module }: RunsOptions, job: string): Promise<void> => {
  const { sink, entries } = await journals.hold(job, attempt);
  const request = {
    job,
    attempt,
    module: module.hash,
    workflow: workflows.threeEffects,
    input: 'null',
    journal: entries,
  };
  const end = await engine.run(request, { sink, mayStartEffect: () => true }).ended;
  if (end.type === 'finished' && end.outcome.type === 'completed') return;
  throw new Error(`job ${job} should have completed, and ended so: ${JSON.stringify(end)}`);
};

/** Reads all journals back. @returns the jobs that are completed; those that are so twice, twice */
export const readCompletedRuns = async (journals: SqliteJournals, tally: Tally): Promise<readonly string[]> => {
  const ids = tally.ids.values();
  const completed: string[] = [];
  await runLanes(readLanes, async () => {
    for (const id of ids) {
      const { entries } = await journals.hold(id, attempt);
      completed.push(...entries.filter(({ kind }) => kind === 'completed').map(() => id));
    }
  });
  return completed;
};

/** The whole life of trivial jobs by one caller: publish → claim → complete, each step acknowledged before the next. */
import { Dispenser, runLanes, timed, type Amount } from '../lanes.ts';
import type { Tally } from '../tally.ts';
import type { QueueCaller } from './queue-caller.ts';

/** What to take through the queue. */
export interface CycleOptions {
  readonly caller: QueueCaller;
  /** Begins the ids of these jobs. */
  readonly prefix: string;
  readonly jobs: Amount;
  /** Jobs in each request. */
  readonly batch: number;
  /** Requests at a time. */
  readonly lanes: number;
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

const sweepWaitMs = 100;
const silentSweepsMax = 100;

/** @returns jobs per second */
export const measureCycle = async (options: CycleOptions): Promise<number> => {
  const dispenser = new Dispenser(options.jobs);
  const { caller, batch, lanes, prefix, tally, signal } = options;
  const seconds = await timed(async () => {
    await runLanes(lanes, async () => {
      for (let numbers = dispenser.take(batch); numbers.length > 0; numbers = dispenser.take(batch)) {
        signal.throwIfAborted();
        const ids = numbers.map((number) => `${prefix}-${number}`);
        await caller.publish(ids);
        tally.published(ids);
        await claimAndFinish(options, numbers.length, 0);
      }
    });
    await sweep(options);
  });
  return dispenser.taken / seconds;
};

/**
 * Claims and completes what is left, such as jobs whose lease ran out in between. Gives up when nothing comes for 10 s:
 * what is open then is lost, and the tally says so.
 */
export const sweep = async (options: Pick<CycleOptions, 'caller' | 'batch' | 'tally' | 'signal'>): Promise<void> => {
  for (let silent = 0; options.tally.open > 0 && silent < silentSweepsMax;) {
    options.signal.throwIfAborted();
    const finished = await claimAndFinish(options, options.batch, sweepWaitMs);
    silent = finished === 0 ? silent + 1 : 0;
  }
};

const claimAndFinish = async (
  { caller, tally }: Pick<CycleOptions, 'caller' | 'tally'>,
  capacity: number,
  waitMs: number,
): Promise<number> => {
  const jobs = await caller.claim(capacity, waitMs);
  if (jobs.length === 0) return 0;
  const results = await caller.finish(jobs);
  for (const [index, { job }] of jobs.entries()) if (results[index]?.ok) tally.completed(job);
  return jobs.length;
};

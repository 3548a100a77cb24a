/**
 * Real worker processes on the queue: how fast they drain it, and how soon an idle one begins a job.
 *
 * The jobs are runs of the trivial `core` workflow: each still writes a journal (three entries, one append with its
 * completion), which plain handlers do not (`handlers.ts`).
 */
import type { Cluster } from '@mvm-ci/testkit';
import { percentile } from '../percentile.ts';
import type { Figure } from '../report.ts';
import type { HttpCaller } from '../http-caller.ts';
import { measurePublish } from './publish-rate.ts';
import { publishOverHttp } from './queue-caller.ts';
import { readJournal } from '../read-back.ts';
import { completionRate, progressOf, timePickUps, type TimingParts } from './timing.ts';

const slots = 64;
const bulkJobs = 1_000;
const bulkLanes = 4;

/** What is measured, and with what. */
export interface WorkerParts extends TimingParts {
  readonly cluster: Cluster;
  readonly http: HttpCaller;
}

/** Starts workers as it needs them: one, then four. They run on when it returns. */
export const measureWorkers = async (parts: WorkerParts): Promise<readonly Figure[]> => {
  const { cluster, size } = parts;
  parts.say('the way of a job to an idle worker');
  await cluster.addWorker({ slots });
  await drain(parts, { prefix: 'warm-1', jobs: size.drain / 2 });
  const waits = await timePickUps(parts, {
    prefix: 'pick-up',
    publish: (id) => publishOverHttp(parts.http, [id]),
    startOf: (id) => startOf(parts, id),
  });
  parts.say('one worker drains the queue');
  const one = await drain(parts, { prefix: 'drain', jobs: size.drain });
  parts.say('four workers drain the queue');
  await Promise.all([1, 2, 3].map(() => cluster.addWorker({ slots })));
  await drain(parts, { prefix: 'warm-4', jobs: size.drain });
  const four = await drain(parts, { prefix: 'drain4', jobs: size.drain });
  const drained = `trivial core workflows completed by PROCESSES with ${slots} slots each, from a full queue to an empty one`;
  const begun = 'from the publish request of one job to its start in the engine of an idle worker';
  return [
    {
      name: 'drain_core_jobs_per_s',
      value: one,
      what: drained.replace('PROCESSES', 'one worker process'),
      bound: 'store_cycle_per_s',
    },
    {
      name: 'drain4_core_jobs_per_s',
      value: four,
      what: drained.replace('PROCESSES', 'four worker processes'),
      bound: 'store_cycle_per_s',
    },
    { name: 'publish_to_core_start_p50_ms', value: percentile(waits, 0.5), what: `${begun}: half of them within` },
    { name: 'publish_to_core_start_p99_ms', value: percentile(waits, 0.99), what: `${begun}: 99 of 100 within` },
  ];
};

/**
 * Fills the queue in bulk while workers are already at it, and times the rest.
 *
 * @returns jobs per second, from the last acknowledged publish to the last completion
 */
const drain = async (parts: WorkerParts, { prefix, jobs }: { prefix: string; jobs: number }): Promise<number> => {
  const goal = (await progressOf(parts.client)).completed + jobs;
  const amount = { count: jobs, msMax: Infinity };
  await measurePublish({ ...parts, prefix, jobs: amount, batch: bulkJobs, lanes: bulkLanes });
  return completionRate(parts, { start: await progressOf(parts.client), goal });
};

/** When the run of a job that is over began, Unix ms. */
const startOf = async ({ client, signal }: WorkerParts, id: string): Promise<number | undefined> => {
  await client.wait(id, { signal });
  const { startedMs } = await readJournal(client, id);
  // The journal's time is cut to whole milliseconds: half a millisecond more is its mean.
  return startedMs === undefined ? undefined : startedMs + 0.5;
};

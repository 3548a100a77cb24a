/**
 * Real worker processes on the queue: how fast they drain it, and how soon an idle one begins a job.
 *
 * The jobs are runs of the trivial `core` workflow: each still writes a journal (three entries, one append with its
 * completion), which plain handlers will not.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@mvm-ci/client';
import type { Cluster } from '@mvm-ci/testkit';
import { Dispenser } from '../lanes.ts';
import { percentile } from '../percentile.ts';
import type { Figure } from '../report.ts';
import type { Tally } from '../tally.ts';
import { preciseClock } from '../wall-clock.ts';
import type { HttpCaller } from '../http-caller.ts';
import { measurePublish } from './publish-rate.ts';
import { publishOverHttp } from './queue-caller.ts';
import { readJournal } from '../read-back.ts';
import type { QueueSize } from './size.ts';

const slots = 64;
const bulkJobs = 1_000;
const bulkLanes = 4;
const pollMs = 25;
const silentMsMax = 30_000;
const restMs = 20;

/** What is measured, and with what. */
export interface WorkerParts {
  readonly cluster: Cluster;
  readonly http: HttpCaller;
  readonly client: Client;
  readonly size: QueueSize;
  readonly tally: Tally;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/** Starts workers as it needs them: one, then four. They run on when it returns. */
export const measureWorkers = async (parts: WorkerParts): Promise<readonly Figure[]> => {
  const { cluster, size } = parts;
  parts.say('the way of a job to an idle worker');
  await cluster.addWorker({ slots });
  await drain(parts, { prefix: 'warm-1', jobs: size.drain / 2 });
  const waits = await timePickUps(parts);
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
      name: 'drain_jobs_per_s',
      value: one,
      what: drained.replace('PROCESSES', 'one worker process'),
      bound: 'store_cycle_per_s',
    },
    {
      name: 'drain4_jobs_per_s',
      value: four,
      what: drained.replace('PROCESSES', 'four worker processes'),
      bound: 'store_cycle_per_s',
    },
    { name: 'publish_to_start_p50_ms', value: percentile(waits, 0.5), what: `${begun}: half of them within` },
    { name: 'publish_to_start_p99_ms', value: percentile(waits, 0.99), what: `${begun}: 99 of 100 within` },
  ];
};

/**
 * Fills the queue in bulk while workers are already at it, and times the rest.
 *
 * @returns jobs per second, from the last acknowledged publish to the last completion
 */
const drain = async (parts: WorkerParts, { prefix, jobs }: { prefix: string; jobs: number }): Promise<number> => {
  const { client, signal } = parts;
  const countCompleted = async (): Promise<number> => (await client.stats()).completed;
  const goal = (await countCompleted()) + jobs;
  const amount = { count: jobs, msMax: Infinity };
  await measurePublish({ ...parts, prefix, jobs: amount, batch: bulkJobs, lanes: bulkLanes });
  const start = { completed: await countCompleted(), atMs: performance.now() };
  let last = start;
  while (last.completed < goal && performance.now() - last.atMs < silentMsMax) {
    await pause(pollMs, undefined, { signal });
    const completed = await countCompleted();
    if (completed > last.completed) last = { completed, atMs: performance.now() };
  }
  return ((last.completed - start.completed) * 1_000) / (last.atMs - start.atMs);
};

/** Publishes one job after the other to workers that have nothing to do. @returns ms from publish to start */
const timePickUps = async (parts: WorkerParts): Promise<readonly number[]> => {
  const { http, client, size, tally, signal } = parts;
  const wallMs = preciseClock();
  const waits: number[] = [];
  const dispenser = new Dispenser({ count: size.pickUps, msMax: size.figureMsMax });
  for (let [number] = dispenser.take(1); number !== undefined; [number] = dispenser.take(1)) {
    await pause(restMs, undefined, { signal });
    const id = `pick-up-${number}`;
    const publishedMs = wallMs();
    await publishOverHttp(http, [id]);
    tally.published([id]);
    await client.wait(id, { signal });
    const { startedMs } = await readJournal(client, id);
    // The journal's time is cut to whole milliseconds: half a millisecond more is its mean.
    if (startedMs !== undefined) waits.push(startedMs + 0.5 - publishedMs);
  }
  return waits;
};

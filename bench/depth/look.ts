/** A control plane on a store, however full: how fast it takes jobs and hands them out, and what it holds in memory. */
import { createClient } from '@mvm-ci/client';
import { handler } from './fill.ts';
import { HttpCaller } from '../http-caller.ts';
import { residentMib } from '../peers/process-usage.ts';
import { startHandlerWorker, endHandlerWorker } from '../queue/handlers.ts';
import { measurePublish } from '../queue/publish-rate.ts';
import { completionRate, progressOf } from '../queue/timing.ts';
import { startCluster } from '../quiet-cluster.ts';
import { Tally } from '../tally.ts';

const batch = 1_000;
const lanes = 4;
const msMax = 60_000;

export interface LookOptions {
  /** The cluster's data is kept here. */
  readonly folder: string;
  /** Begins the ids of the jobs. */
  readonly prefix: string;
  /** Jobs to publish, and jobs to complete. */
  readonly jobs: number;
  readonly signal: AbortSignal;
}

/** What was seen. */
export interface Look {
  /** From the start of the process to its ready line. */
  readonly startMs: number;
  readonly publishPerS: number;
  readonly drainPerS: number;
  readonly listMs: number;
  readonly rssMib: number;
  /** Jobs that this look has published. */
  readonly published: number;
  /** Of all jobs, at its end. */
  readonly stats: { readonly pending: number; readonly completed: number; readonly total: number };
}

/** Publishes, then lets one worker of handlers complete as many jobs. */
export const lookAt = async ({ folder, prefix, jobs, signal }: LookOptions): Promise<Look> => {
  const startedMs = performance.now();
  await using cluster = await startCluster(folder);
  const startMs = performance.now() - startedMs;
  const client = createClient({ url: cluster.url });
  using http = new HttpCaller(cluster.url, lanes);
  const tally = new Tally();
  const parts = { http, batch, lanes, tally, signal, handler };
  await measurePublish({ ...parts, prefix: `${prefix}-warm`, jobs: { count: jobs / 2, msMax } });
  const publishPerS = await measurePublish({ ...parts, prefix, jobs: { count: jobs, msMax } });
  const worker = await startHandlerWorker(cluster.url);
  try {
    const warm = await progressOf(client);
    await completionRate({ client, signal }, { start: warm, goal: warm.completed + jobs / 2 });
    // The worker runs ahead meanwhile: half of what is left now is surely left.
    const left = await client.stats();
    const start = await progressOf(client);
    const goal = start.completed + Math.min(jobs, left.pending) / 2;
    const drainPerS = await completionRate({ client, signal }, { start, goal });
    const listedMs = performance.now();
    await client.list({ state: 'completed', signal });
    const listMs = performance.now() - listedMs;
    const rssMib = residentMib(cluster.controlPlane.pid);
    await endHandlerWorker(worker);
    const { pending, completed, total } = await client.stats();
    await cluster.stop();
    return {
      startMs,
      publishPerS,
      drainPerS,
      listMs,
      rssMib,
      published: tally.ids.length,
      stats: { pending, completed, total },
    };
  } finally {
    await endHandlerWorker(worker);
  }
};

/** One cell of a load test: publishes its jobs at once, waits for their end, reads them back, and looks at each process meanwhile. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Client } from '@mvm-ci/client';
import { limits, type JobView, type PublishJob } from '@mvm-ci/protocol';
import { z } from 'zod';
import { loadLimits } from '../limits.ts';
import type { LoadCluster } from './load-cluster.ts';
import type { CellPlan } from './load-plan.ts';
import type { LoadSite } from './load-site.ts';
import type { LoadInput } from './load-workflow.ts';
import { UsageWatch } from './usage-watch.ts';
import type { CellReport } from './report/load-report.ts';
import { percentilesOf } from './report/percentiles.ts';

/** What a cell is measured with. */
export interface CellContext {
  readonly cluster: LoadCluster;
  readonly client: Client;
  readonly site: LoadSite;
  /** Name of the deployed workflow. */
  readonly workflow: string;
  readonly work: Omit<LoadInput, 'urls'> & { readonly requests: number };
  readonly engines: number;
  readonly signal: AbortSignal;
  /** Told how many jobs of the cell have ended. */
  readonly ended: (count: number) => void;
}

const resultSchema = z.object({ startedMs: z.number() });

/** Measures one cell. Its jobs are told from others by their ids. */
export const measureCell = async (context: CellContext, cell: CellPlan): Promise<CellReport> => {
  const { cluster, site, engines } = context;
  site.settle();
  const ids = jobIds(cell);
  const watch = new UsageWatch(cluster.members);
  await publishAll(context, ids);
  await untilEnded(context, ids.length);
  const { processes, seconds: watched } = watch.stop();
  const jobs = await readBack(context, ids);
  const found = [...jobs.values()].flat();
  const completed = [...jobs.values()].flatMap(([job]) => (job?.status === 'completed' ? job : []));
  const seconds = spanSeconds(found) || watched;
  const { resent, duplicated } = judgeRequests(found, site.settle());
  return {
    ...cell,
    engines,
    seconds,
    throughput_per_s: completed.length / seconds,
    latency_ms: latencies(completed),
    lost: ids.filter((id) => isLost(jobs.get(id)?.[0])).length,
    duplicated: [...jobs.values()].reduce((sum, same) => sum + same.length - 1, 0) + duplicated,
    resent,
    unfinished: found.filter(({ status }) => !isOver(status)).length,
    lost_leases: found.reduce((sum, job) => sum + job.lost_leases, 0),
    processes: [...processes],
  };
};

/** Runs jobs that nobody measures, so that compilers and caches have done their work. */
export const warmUp = async (context: CellContext, count: number, name: string): Promise<readonly JobView[]> => {
  const ids = Array.from({ length: count }, (_, number) => `warm-${name}-${number}`);
  await publishAll(context, ids);
  await untilEnded(context, count);
  return [...(await readBack(context, ids)).values()].flat();
};

const jobIds = ({ option, workers, jobs }: CellPlan): readonly string[] =>
  Array.from({ length: jobs }, (_, number) => `o${option}-w${workers}-j${jobs}-${number}`);

const publishAll = async (context: CellContext, ids: readonly string[]): Promise<void> => {
  const { client, signal } = context;
  for (let from = 0; from < ids.length; from += limits.publishJobsMax) {
    const some = ids.slice(from, from + limits.publishJobsMax);
    await client.publishMany(
      some.map((id) => jobOf(context, id)),
      { signal },
    );
  }
};

const jobOf = ({ site, workflow, work }: CellContext, id: string): PublishJob => {
  const { requests, ...input } = work;
  return { job_id: id, workflow, input: { ...input, urls: site.urlsOf(id, requests) } };
};

/** No other jobs are in the queue: all of them are over when none is alive. */
const untilEnded = async ({ client, signal, ended }: CellContext, count: number): Promise<void> => {
  const timely = AbortSignal.timeout(loadLimits.cellMsMax);
  for (;;) {
    const { pending, claimed, in_progress, waiting } = await client.stats({ signal });
    const alive = pending + claimed + in_progress + waiting;
    ended(Math.max(0, count - alive));
    if (alive === 0 || timely.aborted) return;
    await pause(loadLimits.pollMs, undefined, { signal });
  }
};

/** The jobs of the cell as the control plane lists them, newest first: a list that names one twice shows here. */
const readBack = async (
  { client, signal }: CellContext,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly JobView[]>> => {
  const wanted = new Set(ids);
  const found = new Map<string, JobView[]>();
  for (let after: string | undefined; ;) {
    const page = await client.list({ limit: limits.listRowsMax, after, signal });
    const ours = page.jobs.filter(({ job_id }) => wanted.has(job_id));
    for (const job of ours) found.set(job.job_id, [...(found.get(job.job_id) ?? []), job]);
    after = page.next;
    if (after === undefined || ours.length === 0) return found;
  }
};

/**
 * A job asks for one page at a time, and a GET whose answer was lost with a lease is sent again: as many of its repeated requests as it has
 * lost leases are that, and what is beyond is done twice.
 */
export const judgeRequests = (
  jobs: readonly Pick<JobView, 'job_id' | 'lost_leases'>[],
  repeated: ReadonlyMap<string, number>,
): { readonly resent: number; readonly duplicated: number } => {
  const leases = new Map(jobs.map((job) => [job.job_id, job.lost_leases]));
  const counts = [...repeated].map(([job, count]) => ({ count, resent: Math.min(count, leases.get(job) ?? 0) }));
  const resent = counts.reduce((sum, one) => sum + one.resent, 0);
  return { resent, duplicated: counts.reduce((sum, one) => sum + one.count, 0) - resent };
};

const isOver = (status: JobView['status']): boolean =>
  status === 'completed' || status === 'failed' || status === 'cancelled';

/** Acknowledged, and yet neither completed nor on its way. */
const isLost = (job: JobView | undefined): boolean =>
  job === undefined || (isOver(job.status) && job.status !== 'completed');

const spanSeconds = (jobs: readonly JobView[]): number =>
  jobs.length === 0
    ? 0
    : (jobs.reduce((last, job) => Math.max(last, job.updated_at_ms), 0) -
        jobs.reduce((first, job) => Math.min(first, job.created_at_ms), Infinity)) /
      1_000;

/** Times of a job that has completed, all by clocks of this machine, in ms. */
export interface JobTimes {
  readonly toStart: number;
  readonly toEnd: number;
  /** From its first step to the commit of its end. */
  readonly run: number;
}

/** When a completed job of the load workflow started and ended. */
export const timesOf = (job: JobView): JobTimes => {
  const { startedMs } = resultSchema.parse(job.result);
  const { created_at_ms: created, updated_at_ms: ended } = job;
  return { toStart: Math.max(0, startedMs - created), toEnd: ended - created, run: Math.max(0, ended - startedMs) };
};

const latencies = (completed: readonly JobView[]): CellReport['latency_ms'] => {
  if (completed.length === 0) return null;
  const times = completed.map(timesOf);
  return {
    publish_to_start: percentilesOf(times.map(({ toStart }) => toStart)),
    publish_to_end: percentilesOf(times.map(({ toEnd }) => toEnd)),
    run: percentilesOf(times.map(({ run }) => run)),
  };
};

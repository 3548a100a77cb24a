/** Jobs through iroh by callers of this process: the round trip of a claim, and rates of claiming and completing. */
import type { HttpCaller } from '../http-caller.ts';
import { Dispenser, runLanes, timed, type Amount } from '../lanes.ts';
import { percentile } from '../percentile.ts';
import type { PeerCaller } from '../queue/peer-caller.ts';
import { publishOverHttp, type QueueCaller } from '../queue/queue-caller.ts';
import type { Figure } from '../report.ts';
import type { Tally } from '../tally.ts';
import type { PeersSize } from './size.ts';

const bulkJobs = 1_000;
const singleLanes = 64;
const batchJobs = 100;
const batchLanes = 8;
const waitMs = 1_000;

/** What is measured, and with what. */
export interface ClaimParts {
  readonly http: HttpCaller;
  /** Connections that share the lanes. */
  readonly peers: readonly [PeerCaller, ...PeerCaller[]];
  readonly size: PeersSize;
  readonly tally: Tally;
  readonly signal: AbortSignal;
}

/** One claim at a time, on a control plane that does nothing else; each answer holds a job, and is synced. */
export const measureClaim = async (parts: ClaimParts): Promise<readonly Figure[]> => {
  const { http, peers, size, tally } = parts;
  const caller = peers[0].queueCaller(http);
  const amount: Amount = { count: size.claims, msMax: size.figureMsMax };
  await publishBulk(parts, 'claim', size.claims);
  const tripsMs: number[] = [];
  const dispenser = new Dispenser(amount);
  while (dispenser.take(1).length > 0) {
    parts.signal.throwIfAborted();
    const startMs = performance.now();
    const jobs = await caller.claim(1, waitMs);
    tripsMs.push(performance.now() - startMs);
    await finish(caller, jobs, tally);
  }
  await drain(parts, { batch: batchJobs, lanes: 1 });
  const what = 'one claim of one job over iroh at rest, from the request to its synced answer';
  return [
    { name: 'claim_idle_p50_ms', value: percentile(tripsMs, 0.5), what: `${what}: half of them within` },
    { name: 'claim_idle_p99_ms', value: percentile(tripsMs, 0.99), what: `${what}: 99 of 100 within` },
  ];
};

/** Full queues emptied over iroh: each job costs two synced answers, of its claim and of its completion. */
export const measureRates = async (parts: ClaimParts): Promise<readonly Figure[]> => {
  const { size, peers } = parts;
  const shapes = [
    { name: 'jobs_batch_per_s', jobs: size.batched, batch: batchJobs, lanes: batchLanes },
    { name: 'jobs_single_per_s', jobs: size.singles, batch: 1, lanes: singleLanes },
  ];
  const figures: Figure[] = [];
  for (const { name, jobs, batch, lanes } of shapes) {
    await publishBulk(parts, name, jobs);
    const value = await drain(parts, { batch, lanes });
    const each = batch === 1 ? 'one job a claim' : `${batch} jobs a claim`;
    const what = `jobs claimed and completed over iroh, ${each}, ${lanes} at a time on ${peers.length} connections`;
    figures.push({ name, value, what, bound: 'iroh_frames_per_s' });
  }
  return figures;
};

/** Fills the queue. */
export const publishBulk = async (
  { http, tally, signal }: Pick<ClaimParts, 'http' | 'tally' | 'signal'>,
  prefix: string,
  count: number,
): Promise<void> => {
  const dispenser = new Dispenser({ count, msMax: Infinity });
  for (let numbers = dispenser.take(bulkJobs); numbers.length > 0; numbers = dispenser.take(bulkJobs)) {
    signal.throwIfAborted();
    const ids = numbers.map((number) => `${prefix}-${number}`);
    await publishOverHttp(http, ids);
    tally.published(ids);
  }
};

/** Claims and completes until the queue is empty. @returns jobs per second */
const drain = async (
  { http, peers, tally, signal }: ClaimParts,
  { batch, lanes }: { readonly batch: number; readonly lanes: number },
): Promise<number> => {
  let done = 0;
  const seconds = await timed(() =>
    runLanes(lanes, async (lane) => {
      const caller = (peers[lane % peers.length] ?? peers[0]).queueCaller(http);
      for (;;) {
        signal.throwIfAborted();
        const jobs = await caller.claim(batch, 0);
        if (jobs.length === 0) return;
        const finished = await finish(caller, jobs, tally);
        done += finished;
      }
    }),
  );
  return done / seconds;
};

const finish = async (
  caller: QueueCaller,
  jobs: Awaited<ReturnType<QueueCaller['claim']>>,
  tally: Tally,
): Promise<number> => {
  if (jobs.length === 0) return 0;
  const results = await caller.finish(jobs);
  const accepted = jobs.filter((_, index) => results[index]?.ok);
  for (const { job } of accepted) tally.completed(job);
  return accepted.length;
};

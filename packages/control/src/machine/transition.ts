/**
 * The transitions of one job, as functions from a job to the next one. They decide states, epochs and backoffs, and touch
 * no store; the commands around them check who may ask, and write what comes out. `docs/internals/leases.md`.
 *
 * 1. `epoch` grows by one in `claimed`, and nowhere else changes (I3).
 * 2. A final state has no transition.
 * 3. Who held the job last stays in `worker`; whether somebody holds it now is in `state` alone.
 */
import type { Backoff, JobProgress } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { JobContent, JobRecord } from './job-row.ts';
import { strikesAfterLoss } from './suspect.ts';

/** `runAt` of a job that waits for an item of its inbox alone. */
export const neverMs: number = Number.MAX_SAFE_INTEGER;

/** The rank of a job that may run from `runAt` on: a step of priority is worth `priorityStepMs` of waiting. */
export const rankOf = (runAt: number, priority: number): number =>
  Math.min(runAt, neverMs / 2) - priority * controlLimits.priorityStepMs;

/** Whether somebody holds the job. */
export const isHeld = (job: JobRecord): boolean => job.state === 'claimed' || job.state === 'in_progress';

/** Who takes a job, and when. */
export interface Claim {
  readonly worker: string;
  /** Null: a bare claim. */
  readonly incarnation: string | null;
  readonly at: number;
}

/** Somebody takes the job. */
export const claimed = (job: JobRecord, claim: Claim): JobRecord => ({
  ...job,
  state: 'claimed',
  epoch: job.epoch + 1,
  resumes: job.resumes + (job.journalEntries > 0 ? 1 : 0),
  claimedAt: claim.at,
  attemptAt: job.attemptAt ?? claim.at,
  claimedEntries: job.journalEntries,
  worker: claim.worker,
  incarnation: claim.incarnation ?? '',
  bare: claim.incarnation === null,
});

/** What an append adds. */
export interface Growth {
  readonly count: number;
  readonly bytes: number;
  readonly hash: Uint8Array;
  readonly progress: JobProgress | undefined;
}

/** The journal has grown; the first growth starts the job. */
export const grown = (job: JobRecord, growth: Growth): JobRecord => ({
  ...started(job),
  journalEntries: job.journalEntries + growth.count,
  journalBytes: job.journalBytes + growth.bytes,
  journalHash: growth.hash,
  progressPercent: growth.progress?.percent ?? job.progressPercent,
  progressText: growth.progress?.text ?? job.progressText,
});

/** The holder has begun. */
export const started = (job: JobRecord): JobRecord => ({ ...job, state: 'in_progress' });

/** The job returned; `result` is JSON text. */
export const completed = (job: JobRecord, result: string): JobRecord => ({
  ...job,
  state: 'completed',
  result,
  errorCode: null,
  errorMessage: null,
  completedBy: job.worker,
  cancelReason: null,
  cancelAt: null,
});

/** How an attempt failed. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  /** How long the next attempt waits, instead of its backoff. @default the backoff */
  readonly retryAfterMs?: number | undefined;
  readonly at: number;
  /** 0–1. */
  readonly jitter: number;
}

/** The attempt failed: again after a backoff when that is allowed, over otherwise. */
export const failed = (job: JobRecord, content: JobContent, failure: Failure): JobRecord => {
  const ended = { ...job, errorCode: failure.code, errorMessage: failure.message };
  if (job.cancelReason !== null) return cancelled(ended, job.cancelReason);
  // An effect may have happened: to do it again is nobody's but a person's decision.
  const mayRetry = failure.retryable && failure.code !== 'OUTCOME_UNKNOWN';
  const tries = job.attempt - job.attemptsForgiven;
  if (!mayRetry || tries >= content.attemptsMax) return { ...ended, state: 'failed', completedBy: job.worker };
  const delayMs = failure.retryAfterMs ?? retryDelayMs(backoffOf(content), tries, failure.jitter);
  const runAt = failure.at + delayMs;
  return {
    ...emptied(ended),
    state: 'pending',
    attempt: job.attempt + 1,
    attemptAt: null,
    runAt,
    rank: rankOf(runAt, job.priority),
  };
};

/** Where and when a job is tried again. */
interface Retry {
  readonly at: number;
  readonly lane: number;
  /** Jobs that it waits for. */
  readonly dependenciesLeft: number;
}

/** A job that failed, or was cancelled, is tried again, with all its attempts. */
export const retried = (job: JobRecord, { at, lane, dependenciesLeft }: Retry): JobRecord => ({
  ...emptied(job),
  state: 'pending',
  attempt: job.attempt + 1,
  attemptsForgiven: job.attempt,
  retriedAt: at,
  attemptAt: null,
  strikes: 0,
  dependenciesLeft,
  runAt: dependenciesLeft > 0 ? neverMs : at,
  rank: rankOf(dependenciesLeft > 0 ? neverMs : at, job.priority),
  lane,
  errorCode: null,
  errorMessage: null,
  completedBy: null,
});

/** One that it waited for is over; `runAt` is when it may run once all are. */
export const dependencyOver = (job: JobRecord, runAt: number): JobRecord => {
  const left = job.dependenciesLeft - 1;
  if (left > 0) return { ...job, dependenciesLeft: left };
  return { ...job, dependenciesLeft: 0, runAt, rank: rankOf(runAt, job.priority) };
};

/** The job fails without a worker having a say. */
export const failedByRule = (
  job: JobRecord,
  error: { readonly code: string; readonly message: string },
): JobRecord => ({
  ...job,
  state: 'failed',
  errorCode: error.code,
  errorMessage: error.message,
  cancelReason: null,
  cancelAt: null,
});

/** The job will not run, or not go on. */
export const cancelled = (job: JobRecord, reason: string): JobRecord => ({
  ...job,
  state: 'cancelled',
  errorCode: 'CANCELLED',
  errorMessage: reason,
  cancelReason: null,
  cancelAt: null,
});

/** The holder gives the job back, to be continued at once. */
export const released = (job: JobRecord, at: number): JobRecord =>
  job.cancelReason === null ? { ...job, state: 'pending', runAt: at } : cancelled(job, job.cancelReason);

/** Nothing can happen before `wakeAt` or a new item: nobody holds the job until then. */
export const suspended = (
  job: JobRecord,
  { wakeAt, seen, at }: { readonly wakeAt: number | null; readonly seen: number; readonly at: number },
): JobRecord => {
  const isNews = job.inboxItems > 0 && job.inboxLast > seen;
  if (job.cancelReason !== null || isNews) return { ...released(job, at), strikes: 0 };
  return { ...job, state: 'waiting', runAt: wakeAt ?? neverMs, strikes: 0 };
};

/** The holder fell silent; `isBlamed`: it may have been this job that ended it. */
export const leaseLost = (
  job: JobRecord,
  { at, isBlamed = true }: { readonly at: number; readonly isBlamed?: boolean },
): JobRecord => {
  if (job.cancelReason !== null) return cancelled(job, job.cancelReason);
  if (!isBlamed) return { ...job, state: 'pending', lostLeases: job.lostLeases + 1, runAt: at };
  const lost = { ...job, lostLeases: job.lostLeases + 1, strikes: strikesAfterLoss(job, at) };
  if (lost.strikes < controlLimits.strikesMax && lost.lostLeases < controlLimits.lostLeasesMax) {
    return { ...lost, state: 'pending', runAt: at + lostLeaseDelayMs(lost.strikes) };
  }
  const message = `${lost.lostLeases} workers fell silent while they held this job; it is not given to another one`;
  return {
    ...lost,
    state: 'failed',
    errorCode: 'WORKER_KILLER',
    errorMessage: message,
    cancelReason: null,
    cancelAt: null,
  };
};

/** An accepted finish, remembered so that the same one again is known. */
export const finished = (job: JobRecord, epoch: number, outcomeHash: Uint8Array): JobRecord => ({
  ...job,
  finishedEpoch: epoch,
  finishedBy: job.worker,
  outcomeHash,
});

/** Wait before the attempt after `attempt`; Backoff's rule, in whole ms. */
export const retryDelayMs = (backoff: Backoff, attempt: number, jitter: number): number =>
  Math.ceil(Math.min(backoff.initial_ms * backoff.factor ** (attempt - 1), backoff.max_ms) * (0.5 + jitter / 2));

/** Wait after the n-th lost lease without the job getting on. */
export const lostLeaseDelayMs = (strikes: number): number =>
  strikes === 1
    ? 0
    : Math.min(controlLimits.lostLeaseBackoffMs * 2 ** (strikes - 1), controlLimits.lostLeaseBackoffMsMax);

const backoffOf = (content: JobContent): Backoff => ({
  initial_ms: content.backoffInitialMs,
  factor: content.backoffFactor,
  max_ms: content.backoffMaxMs,
});

const emptied = (job: JobRecord): JobRecord => ({
  ...job,
  journalEntries: 0,
  journalBytes: 0,
  journalHash: null,
  progressPercent: null,
  progressText: null,
});

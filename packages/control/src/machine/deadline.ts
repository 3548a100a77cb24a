/**
 * Deadlines of jobs: the timeouts of their options, and the end of a cancellation's grace. `docs/guides/queue.md`.
 *
 * 1. A job's deadline is the earliest that applies in its state; a job that is over has none.
 * 2. A retry begins anew: what counted from the publish counts from it.
 * 3. Whoever holds a job beyond it loses the lease: what it sends is refused as stale (I3).
 */
import { isFinal, type JobOptions } from '@mvm-ci/protocol';
import type { JobRecord } from './job-row.ts';
import { neverMs } from './transition.ts';

/** What may end a job, or its attempt, by itself. */
export type DeadlineKind = 'total' | 'cancel' | 'attempt' | 'start';

type Timed = Pick<
  JobRecord,
  'state' | 'runAt' | 'attempt' | 'attemptAt' | 'attemptsForgiven' | 'retriedAt' | 'cancelAt'
>;

/** The deadlines that apply, Unix ms. */
export const deadlines = (
  job: Timed,
  options: JobOptions,
  createdAt: number,
): readonly (readonly [DeadlineKind, number])[] => {
  if (isFinal(job.state)) return [];
  const found: [DeadlineKind, number][] = [];
  if (options.timeout_ms !== undefined) found.push(['total', (job.retriedAt ?? createdAt) + options.timeout_ms]);
  if (job.cancelAt !== null) found.push(['cancel', job.cancelAt]);
  if (options.attempt_timeout_ms !== undefined && job.attemptAt !== null)
    found.push(['attempt', job.attemptAt + options.attempt_timeout_ms]);
  if (options.start_timeout_ms !== undefined && isUnbegun(job) && job.runAt < neverMs)
    found.push(['start', job.runAt + options.start_timeout_ms]);
  return found;
};

/** Whether no worker had the job since it was published, or retried. */
const isUnbegun = ({ attempt, attemptAt, attemptsForgiven }: Timed): boolean =>
  attemptAt === null && attempt === attemptsForgiven + 1;

/** The earliest deadline of a job; null: it has none. */
export const deadlineOf = (job: Timed, options: JobOptions, createdAt: number): number | null => {
  const times = deadlines(job, options, createdAt).map(([, at]) => at);
  return times.length === 0 ? null : Math.min(...times);
};

/** Whether any option sets a timeout. */
export const isTimed = (options: JobOptions): boolean =>
  options.timeout_ms !== undefined ||
  options.attempt_timeout_ms !== undefined ||
  options.start_timeout_ms !== undefined;

/**
 * Unique keys: at most one job has a key, until it is over or until its window ends. The entry in the table is not taken
 * away then: whether it still counts is looked up when the key is wanted again.
 */
import { isFinal, type UniqueRule } from '@mvm-ci/protocol';
import type { Application } from './application.ts';
import type { JobRecord } from './job-row.ts';

/** The job that has a key at `at`. */
export const keyTakenBy = (app: Application, key: string, at: number): JobRecord | undefined => {
  const holder = app.tables.uniques.find(key);
  const job = holder === undefined ? undefined : app.tables.jobs.findByNumber(holder.job);
  if (holder === undefined || job === undefined) return undefined;
  const counts = holder.until === null ? !isFinal(job.state) : holder.until > at;
  return counts ? job : undefined;
};

/** Gives a key to a new job. A debounced job has it until it begins: its window is how long it waits. */
export const takeKey = (
  app: Application,
  rule: UniqueRule,
  { job, at }: { readonly job: number; readonly at: number },
): void => {
  const { key, window_ms: windowMs, policy } = rule;
  const until = windowMs === undefined || policy === 'debounce' ? null : at + windowMs;
  app.tables.uniques.put(key, { job, until });
};

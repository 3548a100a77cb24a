/**
 * Jobs that wait for others (`after`): they can run when all of those are over. When one of them did not complete, the
 * policy of the job that waits says what becomes of it.
 */
import { isFinal, mvmError, optionsOf, type DependencyPolicy, type JobOptions } from '@mvm-ci/protocol';
import { commit, type Application } from './application.ts';
import { deliver } from './inbox.ts';
import type { JobRecord } from './job-row.ts';
import { runAtOf } from './run-at.ts';
import { cancelled, dependencyOver, failedByRule } from './transition.ts';

/** What a new job waits for. */
export interface Dependencies {
  readonly jobs: readonly JobRecord[];
  /** How many of them are not over. */
  readonly left: number;
  /** What becomes of the job at once, as one of them did not complete; null: nothing. */
  readonly refusal: ((job: JobRecord) => JobRecord) | null;
}

/** Looks up what a job waits for. @throws JOB_NOT_FOUND, INVALID_ARGUMENT for itself */
export const demandDependencies = (app: Application, id: string, options: JobOptions): Dependencies => {
  const ids = [...new Set(options.after ?? [])];
  const jobs = ids.map((awaited) => demandOther(app, id, awaited));
  const lost = jobs.find(isLost);
  const policy = options.on_dependency_failure ?? 'fail';
  const refusal = lost === undefined || policy === 'continue' ? null : (job: JobRecord) => given(job, lost, policy);
  return { jobs, left: refusal === null ? jobs.filter(({ state }) => !isFinal(state)).length : 0, refusal };
};

const demandOther = (app: Application, id: string, awaited: string): JobRecord => {
  if (awaited !== id) return app.tables.jobs.get(awaited);
  throw mvmError('INVALID_ARGUMENT', `job "${id}" can't wait for itself`, { job_id: id });
};

/** Tells those who wait for a job that it is over. */
export const settleDependents = (app: Application, over: JobRecord, at: number): void => {
  for (const number of app.tables.dependencies.dependents(over.number)) {
    const job = app.tables.jobs.findByNumber(number);
    if (job === undefined || isFinal(job.state) || job.dependenciesLeft === 0) continue;
    settleOne(app, job, { over, at });
  }
};

const settleOne = (app: Application, job: JobRecord, { over, at }: { over: JobRecord; at: number }): void => {
  const options = optionsOf(app.tables.jobs.content(job).options);
  const policy = options.on_dependency_failure ?? 'fail';
  const isGivenUp = isLost(over) && policy !== 'continue';
  const next = isGivenUp ? given(job, over, policy) : dependencyOver(job, runAtOf(options, at));
  const saved = commit(app, { before: job, next, at });
  if (!isGivenUp && saved.dependenciesLeft === 0) tellResults(app, saved, at);
};

/** A workflow finds what became of the jobs that it waited for as a message of this type. */
const resultsMessage = 'dependencies';

/** Tells a workflow what became of all that it waited for. */
export const tellResults = (app: Application, job: JobRecord, at: number): void => {
  if (!job.durable) return;
  const results = app.tables.dependencies.dependencies(job.number).flatMap((number) => {
    const awaited = app.tables.jobs.findByNumber(number);
    return awaited === undefined ? [] : [[awaited.id, resultOf(awaited)] as const];
  });
  const data = `{${results.map(([id, result]) => `${JSON.stringify(id)}:${result}`).join(',')}}`;
  deliver(app, job, { at, body: { type: 'message', from: null, messageType: resultsMessage, data } });
};

/**
 * Tells the next attempt what became of them: the one before may have consumed the message, and what it received is forgotten with its
 * journal. A message that still waits stays as it is.
 */
export const tellResultsAgain = (app: Application, job: JobRecord, at: number): void => {
  if (job.dependenciesLeft > 0 || app.tables.inbox.hasMessage(job.number, resultsMessage)) return;
  if (app.tables.dependencies.dependencies(job.number).length > 0) tellResults(app, job, at);
};

// The stored result is JSON text already.
const resultOf = ({ state, result, errorCode, errorMessage }: JobRecord): string =>
  state === 'completed'
    ? `{"status":"completed","result":${result ?? 'null'}}`
    : JSON.stringify({ status: state, error: { code: errorCode, message: errorMessage } });

/** Whether a job is over, and did not complete. */
export const isLost = ({ state }: JobRecord): boolean => state === 'failed' || state === 'cancelled';

const given = (job: JobRecord, over: JobRecord, policy: Exclude<DependencyPolicy, 'continue'>): JobRecord => {
  const message = `job ${over.id}, which it waited for, is ${over.state}`;
  if (policy === 'cancel') return cancelled(job, message);
  return failedByRule(job, { code: 'DEPENDENCY_FAILED', message });
};

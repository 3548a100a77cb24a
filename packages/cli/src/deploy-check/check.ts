/**
 * Replays the journals of a module's live jobs with a module that is about to be deployed. It changes nothing: what is done about the
 * verdicts is the business of `deploy.ts`.
 */
import type { Client } from '@mvm-ci/client';
import type { ReplayReport } from '@mvm-ci/engine';
import { asMvmError, limits, type ErrorRecord, type JobState, type JobView } from '@mvm-ci/protocol';
import { cliLimits } from '../limits.ts';
import type { NamedModule } from '../module-archive.ts';
import type { LocalReplayer } from '../replay/local-replayer.ts';
import { storedAttempt } from '../replay/stored-attempt.ts';

/** What is known of one live job. */
export interface Verdict {
  readonly job_id: string;
  readonly status: JobState;
  /** `name@version/workflow`: what it runs. */
  readonly workflow: string;
  readonly attempt: number;
  /** Up to where its journal was replayed. */
  readonly journal_entries: number;
  readonly compatible: boolean;
  readonly divergence: NonNullable<ReplayReport['divergence']> | null;
  readonly failure: ErrorRecord | null;
}

/** What a check works with. */
export interface CheckParts {
  readonly client: Client;
  readonly replayer: LocalReplayer;
  readonly module: NamedModule;
  /** Called after every job with how many are done. @default nothing */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** The jobs that run another version of the module and are not over. */
export const liveJobs = async (client: Client, { name, hash }: NamedModule): Promise<readonly JobView[]> => {
  const jobs: JobView[] = [];
  let after: string | undefined;
  do {
    const page = await client.list({ state: 'live', module: name, limit: limits.listRowsMax, after });
    for (const job of page.jobs) if (job.module !== hash) jobs.push(job);
    after = page.next;
  } while (after !== undefined);
  return jobs;
};

/** Replays each job with the module, a few at a time. @returns the verdicts, in the jobs' order */
export const check = async (jobs: readonly JobView[], parts: CheckParts): Promise<readonly Verdict[]> => {
  const verdicts: Verdict[] = [];
  let [next, done] = [0, 0];
  const work = async (): Promise<void> => {
    for (let index = next++; index < jobs.length; index = next++) {
      const job = jobs[index];
      if (job) verdicts[index] = await verdictOn(job, parts);
      parts.onProgress?.((done += 1));
    }
  };
  await Promise.all(Array.from({ length: cliLimits.checksAtOnce }, work));
  return verdicts;
};

const verdictOn = async (job: JobView, parts: CheckParts): Promise<Verdict> => {
  const facts = { job_id: job.job_id, status: job.status, workflow: job.workflow ?? '' };
  try {
    return { ...facts, ...(await replayed(job, parts)) };
  } catch (error) {
    const { code, message } = asMvmError(error).toRecord();
    if (!aboutTheJob.has(code)) throw error;
    const { attempt, journal_entries } = job;
    return { ...facts, attempt, journal_entries, compatible: false, divergence: null, failure: { code, message } };
  }
};

/** Errors that say something of one job, and nothing of the others. */
const aboutTheJob: ReadonlySet<string> = new Set(['JOURNAL_CORRUPT', 'JOB_NOT_FOUND']);

const replayed = async (
  job: JobView,
  { client, replayer, module }: CheckParts,
): Promise<Omit<Verdict, 'job_id' | 'status' | 'workflow'>> => {
  const stored = await storedAttempt(client, job);
  const { compatible, divergence = null, failure = null, entries } = await replayer.replay(stored, module.hash);
  return { attempt: stored.attempt, journal_entries: entries, compatible, divergence, failure };
};

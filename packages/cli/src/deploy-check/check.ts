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
  /** Whether a worker replayed it. */
  readonly on_worker: boolean;
}

/** What a check works with. */
export interface CheckParts {
  readonly client: Client;
  readonly replayer: LocalReplayer;
  readonly module: NamedModule;
  /** Whether idle workers are asked first; what they don't do is done here. */
  readonly onWorkers: boolean;
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
  const asking: Asking = { ...parts, isOn: parts.onWorkers };
  let [next, done] = [0, 0];
  const work = async (): Promise<void> => {
    for (let index = next++; index < jobs.length; index = next++) {
      const job = jobs[index];
      if (job) verdicts[index] = await verdictOn(job, asking);
      parts.onProgress?.((done += 1));
    }
  };
  await Promise.all(Array.from({ length: cliLimits.checksAtOnce }, work));
  return verdicts;
};

/** `isOn`: until a worker didn't do what it was asked to; all are busy then, and each question would wait in vain. */
interface Asking extends CheckParts {
  isOn: boolean;
}

const verdictOn = async (job: JobView, parts: Asking): Promise<Verdict> => {
  const facts = { job_id: job.job_id, status: job.status, workflow: job.workflow ?? '' };
  try {
    return { ...facts, ...(await replayed(job, parts)) };
  } catch (error) {
    const { code, message } = asMvmError(error).toRecord();
    if (!aboutTheJob.has(code)) throw error;
    const { attempt, journal_entries } = job;
    return {
      ...facts,
      attempt,
      journal_entries,
      compatible: false,
      divergence: null,
      failure: { code, message },
      on_worker: false,
    };
  }
};

/** Errors that say something of one job, and nothing of the others. */
const aboutTheJob: ReadonlySet<string> = new Set(['JOURNAL_CORRUPT', 'JOB_NOT_FOUND']);

type Facts = Omit<Verdict, 'job_id' | 'status' | 'workflow'>;

const replayed = async (job: JobView, parts: Asking): Promise<Facts> => {
  const facts = parts.isOn ? await replayedByWorker(job, parts) : undefined;
  return facts ?? replayedHere(job, parts);
};

/** Undefined when no worker did it. */
const replayedByWorker = async (job: JobView, parts: Asking): Promise<Facts | undefined> => {
  try {
    const verdict = await parts.client.replay(job.job_id, parts.module.hash);
    const { attempt, entries, compatible, divergence = null, failure = null } = verdict;
    return { attempt, journal_entries: entries, compatible, divergence, failure, on_worker: true };
  } catch (error) {
    const { code } = asMvmError(error);
    if (aboutTheJob.has(code)) throw error;
    // A journal that is too long for workers says nothing of the workers.
    parts.isOn &&= code === 'LIMIT_EXCEEDED';
    return undefined;
  }
};

const replayedHere = async (job: JobView, { client, replayer, module }: CheckParts): Promise<Facts> => {
  const stored = await storedAttempt(client, job);
  const { compatible, divergence = null, failure = null, entries } = await replayer.replay(stored, module.hash);
  return { attempt: stored.attempt, journal_entries: entries, compatible, divergence, failure, on_worker: false };
};

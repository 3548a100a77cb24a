import { z } from 'zod';
import { limits } from './limits.ts';

/** The states of a job (design section 3): the seed's five, and `waiting` and `cancelled`. */
export const jobStates = ['pending', 'claimed', 'in_progress', 'waiting', 'completed', 'failed', 'cancelled'] as const;
/** One of {@link jobStates}. */
export type JobState = (typeof jobStates)[number];

/** The states of jobs that are over: they never change. */
export const finalStates: readonly ['completed', 'failed', 'cancelled'] = ['completed', 'failed', 'cancelled'];

/** Whether a job in this state is over. */
export const isFinal = (state: JobState): boolean =>
  state === 'completed' || state === 'failed' || state === 'cancelled';

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;

/** A job id, module name, version or worker name: letters, digits and `. _ : -`, starting with a letter or digit. */
export const idSchema: z.ZodType<string> = z
  .string()
  .max(limits.idCharsMax)
  .regex(idPattern, 'letters, digits and . _ : - only, starting with a letter or digit');

/** How long to wait before attempt n+1: `initial_ms * factor^(n-1)`, at most `max_ms`, then times a random 0.5–1. */
export interface Backoff {
  readonly initial_ms: number;
  readonly factor: number;
  readonly max_ms: number;
}

/** The backoff of a job that names none. */
export const defaultBackoff: Backoff = { initial_ms: 1_000, factor: 2, max_ms: 300_000 };

/** How far a running job says it is. */
export interface JobProgress {
  /** 0–100. */
  readonly percent: number;
  readonly text: string;
}

/** What ended a job that failed. */
export interface JobError {
  readonly code: string;
  readonly message: string;
}

/**
 * A job as the API shows it. The first seven fields are the seed's WorkItem, which older clients read; times in
 * seconds there, and in milliseconds where the name says so.
 */
export interface JobView {
  readonly job_id: string;
  readonly status: JobState;
  /** Worker (node id) that holds the job now, or that held it last. */
  readonly claimed_by: string | null;
  readonly completed_by: string | null;
  /** Unix seconds. */
  readonly created_at: number;
  /** Unix seconds. */
  readonly updated_at: number;
  /** The seed's free payload; for a workflow job its input. */
  readonly payload: unknown;
  /** `name@version/workflow`, null for a payload job. */
  readonly workflow: string | null;
  /** BLAKE3 of the module that the job is pinned to, hex. */
  readonly module: string | null;
  /** Number of the current attempt, from 1. */
  readonly attempt: number;
  readonly attempts_max: number;
  /** Grows with every claim (I3). */
  readonly epoch: number;
  /** Leases that ran out while a worker held the job. */
  readonly lost_leases: number;
  /** How many claims found a journal to continue. */
  readonly resumes: number;
  /** Entries in the current attempt's journal. */
  readonly journal_entries: number;
  readonly progress: JobProgress | null;
  readonly result: unknown;
  readonly error: JobError | null;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  /** When the job may be claimed (a retry's backoff, a sleep's end), Unix ms; null: not before something is in its inbox. */
  readonly run_at_ms: number | null;
  /** Id of the job that started it, null when it was published. */
  readonly parent: string | null;
  /** What the workflow responded with while it goes on; null when it hasn't. `value` is null in a list when it is long. */
  readonly response: { readonly value: unknown } | null;
  /** The queue that it is in. */
  readonly queue: string;
  readonly priority: number;
  /** Whom it is for, such as a tenant. */
  readonly key: string | null;
  readonly tags: readonly string[];
  /** Tags that a worker must have. */
  readonly requires: readonly string[];
  /** Ids of the jobs that it waits for, or waited for. */
  readonly after: readonly string[];
  /** When a timeout ends it, or its attempt, unless it gets on; Unix ms. */
  readonly deadline_at_ms: number | null;
  /** Number of this job's last change, for resuming an event stream. */
  readonly change: number;
}

/** How many jobs are in each state. */
export type QueueStats = Readonly<Record<JobState, number>> & {
  readonly total: number;
  /** Workers whose last sign of life is younger than three heartbeats of an idle worker. */
  readonly workers: number;
};

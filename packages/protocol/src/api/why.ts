/** Why a job is where it is: the computed chain of reasons. */
import { z } from 'zod';
import { jobStates, type JobState } from '../job.ts';

/** What kinds of reasons there are. `docs/guides/queue.md` explains each. */
export const reasonCodes = [
  'over',
  'held',
  'cancelling',
  'sleeping',
  'waits-for-message',
  'waits-for-child',
  'waits-for-job',
  'scheduled',
  'retry',
  'lost-lease',
  'suspect',
  'paused',
  'limit-full',
  'rate-full',
  'no-worker',
  'workers-busy',
  'in-line',
  'deadline',
] as const;
/** One of {@link reasonCodes}. */
export type ReasonCode = (typeof reasonCodes)[number];

/** One link of the chain. */
export interface Reason {
  readonly code: ReasonCode;
  /** A sentence for people. */
  readonly text: string;
  /** What the sentence speaks of, as data. Times are Unix ms. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** The answer of `GET /queue/why/{job}`. */
export interface WhyView {
  readonly job_id: string;
  readonly status: JobState;
  /** The most immediate first; what holds it back at the same time comes after it. Never empty. */
  readonly reasons: readonly Reason[];
}

/** Checks {@link WhyView}. */
export const whyViewSchema: z.ZodType<WhyView> = z.object({
  job_id: z.string(),
  status: z.enum(jobStates),
  reasons: z.array(
    z.object({ code: z.enum(reasonCodes), text: z.string(), details: z.record(z.string(), z.unknown()) }),
  ),
});

/** Schedules: jobs that are published at times of the calendar. `docs/guides/schedules.md`. */
import { z } from 'zod';
import { idSchema } from '../job.ts';
import { limits } from '../limits.ts';
import { publishJobSchema, type PublishJob } from './publish.ts';

/**
 * What happens at a time of the schedule while the job of an earlier time is not over. `skip`: nothing. `allow`: another
 * job beside it. `cancel`: that one is cancelled, and the new one published. `queue`: the new one is published and waits for
 * its end.
 */
export type OverlapPolicy = 'skip' | 'allow' | 'cancel' | 'queue';

/**
 * What happens to times that passed while the control plane was not there, or its clock was set. `last`: only the latest
 * of them is made up for. `all`: each, up to {@link limits.catchUpTimesMax}, the latest ones. `none`: they are passed over.
 */
export type CatchUpPolicy = 'last' | 'all' | 'none';

/** A schedule, as an operator writes it. */
export interface ScheduleSpec {
  /**
   * `minute hour day-of-month month day-of-week`, with seconds before them when there are six fields, or `@hourly`, `@daily`,
   * `@weekly`, `@monthly`, `@yearly`.
   */
  readonly cron: string;
  /** A name of the IANA database, such as `Europe/Berlin`. @default 'UTC' */
  readonly time_zone?: string | undefined;
  /** What is published each time. Its id is the schedule's name and the time. */
  readonly job: PublishJob;
  /** @default 'skip' */
  readonly overlap?: OverlapPolicy | undefined;
  /** @default 'last' */
  readonly catch_up?: CatchUpPolicy | undefined;
  /** Whether it stands still; the times that pass meanwhile are not made up for. @default false */
  readonly paused?: boolean | undefined;
}

/** Checks {@link ScheduleSpec}; whether `cron` and `time_zone` mean anything is the control plane's to say. */
export const scheduleSpecSchema: z.ZodType<ScheduleSpec> = z.strictObject({
  cron: z.string().min(1).max(limits.idCharsMax),
  time_zone: z.string().min(1).max(limits.idCharsMax).optional(),
  job: publishJobSchema.refine(
    (job) => job.job_id === undefined && job.delay_ms === undefined && job.run_at_ms === undefined,
    {
      message:
        'the job of a schedule has no "job_id", "delay_ms" or "run_at_ms": the schedule gives it its id and time',
    },
  ),
  overlap: z.enum(['skip', 'allow', 'cancel', 'queue']).optional(),
  catch_up: z.enum(['last', 'all', 'none']).optional(),
  paused: z.boolean().optional(),
});

/** A schedule as the API shows it. Times are Unix ms. */
export interface ScheduleView {
  readonly schedule: string;
  readonly spec: ScheduleSpec;
  /** Null: it is paused, or no time is left. */
  readonly next_at_ms: number | null;
  /** The last time for which something was done. */
  readonly last_at_ms: number | null;
  /** Id of the job of that time, or of the last one that had a job. */
  readonly last_job: string | null;
  /** Times that had no job, by the overlap policy, because they were missed, or as the publish was refused. */
  readonly skipped: number;
  /** Why the last publish was refused; null: it was not. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** Checks {@link ScheduleView}. */
export const scheduleViewSchema: z.ZodType<ScheduleView> = z.object({
  schedule: idSchema,
  spec: scheduleSpecSchema,
  next_at_ms: z.number().int().nullable(),
  last_at_ms: z.number().int().nullable(),
  last_job: z.string().nullable(),
  skipped: z.number().int().min(0),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
});

/** Body of `POST /schedules/{schedule}/backfill`: publishes the jobs of all times from `from_ms` to before `to_ms`. */
export interface BackfillRequest {
  readonly from_ms: number;
  readonly to_ms: number;
}

const time = z.number().int().min(0).max(limits.timeMsMax);

/** Checks {@link BackfillRequest}. */
export const backfillSchema: z.ZodType<BackfillRequest> = z.strictObject({ from_ms: time, to_ms: time });

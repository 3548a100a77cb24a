import { z } from 'zod';
import { idSchema, type Backoff } from '../job.ts';
import { limits } from '../limits.ts';
import { handlerPrefix } from './handler.ts';
import { jobOptionShape, type JobOptions } from './job-options.ts';

/**
 * A job to publish. With `workflow` it is a durable run of a deployed module; with `payload` alone it is a bare work item
 * for clients that claim and report by themselves, as the seed's workers do.
 */
export interface PublishJob extends JobOptions {
  /** Made by the client, so that sending again is harmless (I3). @default a UUID made by the control plane */
  readonly job_id?: string | undefined;
  /** `name`, `name@version`, `name/workflow` or `name@version/workflow`. */
  readonly workflow?: string | undefined;
  /** A handler of a worker (`docs/guides/handlers.md`). */
  readonly handler?: string | undefined;
  /** JSON. @default null */
  readonly input?: unknown;
  /** JSON. */
  readonly payload?: unknown;
  /** @default 1; 3 for a handler */
  readonly attempts_max?: number | undefined;
  /** @default defaultBackoff */
  readonly backoff?: Backoff | undefined;
}

/** A handler's name: as an id, and short enough to stand behind `handler:`. */
const handlerNameSchema: z.ZodType<string> = idSchema.refine(
  (name) => name.length <= limits.idCharsMax - handlerPrefix.length,
  { message: `a handler's name has at most ${limits.idCharsMax - handlerPrefix.length} characters` },
);

/** Checks {@link PublishJob}. What it does not know is refused: a misspelt option would be a job without it. */
export const publishJobSchema: z.ZodType<PublishJob> = z
  .strictObject({
    job_id: idSchema.optional(),
    workflow: z
      .string()
      .min(1)
      .max(3 * limits.idCharsMax)
      .optional(),
    handler: handlerNameSchema.optional(),
    input: z.unknown().optional(),
    payload: z.unknown().optional(),
    attempts_max: z.number().int().min(1).max(limits.attemptsMax).optional(),
    backoff: z
      .strictObject({ initial_ms: z.number().min(0), factor: z.number().min(1), max_ms: z.number().min(0) })
      .optional(),
    ...jobOptionShape,
  })
  .refine((job) => job.delay_ms === undefined || job.run_at_ms === undefined, {
    message: 'a job has either "delay_ms" or "run_at_ms", not both',
  })
  .refine((job) => job.workflow !== undefined || job.handler !== undefined || job.payload !== undefined, {
    message: 'a job needs "workflow" or "handler" (and "input"), or "payload"',
  })
  .refine((job) => [job.workflow, job.handler, job.payload].filter((what) => what !== undefined).length < 2, {
    message: 'a job has either "workflow" and "input", or "handler" and "input", or "payload"',
  })
  .refine((job) => job.input === undefined || job.payload === undefined, {
    message: 'a job has either "input" or "payload", not both',
  });

/** Checks the body of a bulk publish. */
export const publishManySchema: z.ZodType<{ readonly jobs: readonly PublishJob[] }> = z.strictObject({
  jobs: z.array(publishJobSchema).min(1).max(limits.publishJobsMax),
});

/** The answer to one published job. */
export interface Published {
  readonly job_id: string;
  readonly status: string;
  /** False when a job with this id and the same content was there already. */
  readonly created: boolean;
}

/** Body of `POST /queue/status/{job_id}`: the report of a bare claim. States in `in_progress` or `InProgress` form. */
export interface StatusReport {
  readonly status: string;
  readonly result?: unknown;
  readonly error?: string | undefined;
}

/** Checks {@link StatusReport}. */
export const statusReportSchema: z.ZodType<StatusReport> = z.object({
  status: z.string().max(limits.idCharsMax),
  result: z.unknown().optional(),
  error: z.string().max(limits.errorMessageCharsMax).optional(),
});

/** Body of `POST /queue/send/{job_id}`: a message for a running or waiting workflow job. */
export interface SendMessage {
  /** What the workflow's `receive` selects by. */
  readonly type: string;
  /** JSON. @default null */
  readonly data?: unknown;
  /** Made by the sender, so that sending again is harmless (I3). @default the same message again is another one */
  readonly message_id?: string | undefined;
}

/** Checks {@link SendMessage}. */
export const sendMessageSchema: z.ZodType<SendMessage> = z.strictObject({
  type: z.string().min(1).max(limits.idCharsMax),
  data: z.unknown().optional(),
  message_id: idSchema.optional(),
});

/** The answer to a message that was sent. */
export interface SentMessage {
  /** Its number in the job's inbox. */
  readonly number: number;
  /** False when a message with this id was there before. */
  readonly created: boolean;
}

/** Checks {@link SentMessage}. */
export const sentMessageSchema: z.ZodType<SentMessage> = z.object({
  number: z.number().int().positive(),
  created: z.boolean(),
});

/** Body of `POST /queue/cancel/{job_id}`. */
export interface CancelRequest {
  readonly reason?: string | undefined;
  /** How long a worker that holds the job has to end it; then it is cancelled all the same. @default as long as it takes */
  readonly grace_ms?: number | undefined;
}

/** Body of `POST /queue/move/{job}`. */
export interface MoveRequest {
  /** The worker that is to go on with the job: its id, the beginning of it, or its name. */
  readonly worker: string;
}

/** Checks {@link MoveRequest}. */
export const moveSchema: z.ZodType<MoveRequest> = z.strictObject({ worker: idSchema });

/** Checks {@link CancelRequest}. */
export const cancelSchema: z.ZodType<CancelRequest> = z.strictObject({
  reason: z.string().max(limits.textCharsMax).optional(),
  grace_ms: z.number().int().min(0).max(limits.durationMsMax).optional(),
});

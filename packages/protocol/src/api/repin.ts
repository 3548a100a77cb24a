/** Moving live jobs to another module. Prose: `docs/guides/deploying.md`. */
import { z } from 'zod';
import { idSchema } from '../job.ts';
import { limits } from '../limits.ts';

/** A job, and up to where its journal was replayed with the new module. */
export interface RepinJob {
  readonly job_id: string;
  readonly attempt: number;
  readonly journal_entries: number;
}

/** Body of `POST /modules/repin`: these jobs are to go on with `name@version`. */
export interface RepinRequest {
  readonly name: string;
  readonly version: string;
  readonly jobs: readonly RepinJob[];
}

/** What became of one job. */
const repinResults = ['moved', 'held', 'changed', 'over', 'no_workflow', 'not_found'] as const;

/**
 * Whether a job was moved. It was not when somebody holds it (`held`), its journal or attempt is not what was replayed (`changed`), it is
 * `over`, the module lacks its workflow (`no_workflow`), or there is no such job (`not_found`).
 */
export interface RepinResult {
  readonly job_id: string;
  readonly result: (typeof repinResults)[number];
}

/** Answer of the same route, in the jobs' order. */
export interface RepinAnswer {
  readonly results: readonly RepinResult[];
}

/** Checks {@link RepinRequest}. */
export const repinRequestSchema: z.ZodType<RepinRequest> = z.strictObject({
  name: idSchema,
  version: idSchema,
  jobs: z
    .array(
      z.strictObject({
        job_id: idSchema,
        attempt: z.number().int().positive(),
        journal_entries: z.number().int().nonnegative(),
      }),
    )
    .min(1)
    .max(limits.repinJobsMax),
});

/** Checks {@link RepinAnswer}. */
export const repinAnswerSchema: z.ZodType<RepinAnswer> = z.object({
  results: z.array(z.object({ job_id: z.string(), result: z.enum(repinResults) })),
});

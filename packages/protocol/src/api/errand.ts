/**
 * Errands: replays that the control plane has idle workers do, for `deploy --check`. An errand changes nothing and is no job: who took
 * it may vanish, and whoever asked for it asks again or does it himself.
 */
import { z } from 'zod';
import type { ErrorRecord } from '../error.ts';
import { idSchema } from '../job.ts';
import type { JournalBatch } from '../journal/batch.ts';
import { limits } from '../limits.ts';
import { errorRecordSchema } from './error-record.ts';
import { batchSchema } from './peer.ts';

/** A journal to be replayed with a module. */
export interface Errand {
  readonly id: string;
  readonly job: string;
  readonly attempt: number;
  /** Hash of the module, hex. */
  readonly module: string;
  readonly workflow: string;
  /** All of the journal. */
  readonly batches: readonly JournalBatch[];
}

/** What a replay came to, without what was logged. */
export interface ReplayVerdict {
  readonly compatible: boolean;
  readonly entries: number;
  readonly steps: number;
  readonly divergence?: { readonly entry: number; readonly recorded: string; readonly asked: string } | undefined;
  readonly failure?: ErrorRecord | undefined;
}

/** What came of an errand: a verdict, or why there is none. */
export type ErrandOutcome = { readonly verdict: ReplayVerdict } | { readonly error: ErrorRecord };

/** Body of `POST /peer/errand`: what came of the one before, if there was one. */
export interface ErrandRequest {
  readonly worker?: string | undefined;
  readonly done?: { readonly id: string; readonly outcome: ErrandOutcome } | undefined;
}

/** Its answer; null: nothing to do. */
export interface ErrandAnswer {
  readonly errand: Errand | null;
}

/** Answer of `POST /queue/replay/{job}`: the verdict on an attempt. */
export interface JobVerdict extends ReplayVerdict {
  readonly attempt: number;
}

const count = z.number().int().nonnegative();
const text = z.string().max(limits.requestBytesMax);
const verdict = {
  compatible: z.boolean(),
  entries: count,
  steps: count,
  divergence: z.object({ entry: count, recorded: text, asked: text }).optional(),
  failure: errorRecordSchema.optional(),
};

/** Checks {@link ErrandRequest}. */
export const errandRequestSchema: z.ZodType<ErrandRequest> = z.object({
  worker: idSchema.optional(),
  done: z
    .object({
      id: idSchema,
      outcome: z.union([z.object({ verdict: z.object(verdict) }), z.object({ error: errorRecordSchema })]),
    })
    .optional(),
});

/** Checks {@link ErrandAnswer}. */
export const errandAnswerSchema: z.ZodType<ErrandAnswer> = z.object({
  errand: z
    .object({
      id: idSchema,
      job: idSchema,
      attempt: z.number().int().positive(),
      module: z.string(),
      workflow: z.string(),
      batches: z.array(batchSchema),
    })
    .nullable(),
});

/** Checks {@link JobVerdict}. */
export const jobVerdictSchema: z.ZodType<JobVerdict> = z.object({ attempt: z.number().int().positive(), ...verdict });

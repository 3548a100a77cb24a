/**
 * Errands: replays that the control plane has idle workers do, for `deploy --check` and for queries. An errand changes nothing and is no job: who took
 * it may vanish, and whoever asked for it asks again or does it himself.
 */
import { z } from 'zod';
import type { ErrorRecord } from '../error.ts';
import { idSchema } from '../job.ts';
import type { JournalBatch } from '../journal/batch.ts';
import { storedSnapshotSchema, type StoredSnapshot } from '../journal/snapshot.ts';
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
  /** The journal, from its first entry on. */
  readonly batches: readonly JournalBatch[];
  /** The entry that the next part begins with (`GET /peer/errand-journal/{errand}`). @default the batches are all of it */
  readonly next?: number | undefined;
  /** A stored state of the guest, to ask it sooner. @default none */
  readonly snapshot?: StoredSnapshot | undefined;
  /** What to ask the workflow at the journal's end. @default nothing: the replay is judged */
  readonly query?: ErrandQuery | undefined;
}

/** A question to a workflow. */
export interface ErrandQuery {
  /** Of the handler. */
  readonly name: string;
  /** JSON text. */
  readonly args: string;
}

/** What a replay came to, without what was logged. */
export interface ReplayVerdict {
  readonly compatible: boolean;
  readonly entries: number;
  readonly steps: number;
  readonly divergence?: { readonly entry: number; readonly recorded: string; readonly asked: string } | undefined;
  readonly failure?: ErrorRecord | undefined;
}

/** What came of an errand: a verdict, the answer to a query as JSON text, or why there is neither. */
export type ErrandOutcome =
  | { readonly verdict: ReplayVerdict }
  | { readonly answer: string }
  | { readonly error: ErrorRecord };

/** Body of `POST /peer/errand`: what came of the one before, if there was one. */
export interface ErrandRequest {
  readonly worker?: string | undefined;
  /** Whether the worker reads journals in parts. @default only those that come whole */
  readonly readsParts?: boolean | undefined;
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

/** Checks an {@link ErrandOutcome}. */
export const errandOutcomeSchema: z.ZodType<ErrandOutcome> = z.union([
  z.object({ verdict: z.object(verdict) }),
  z.object({ answer: text }),
  z.object({ error: errorRecordSchema }),
]);

/** Checks {@link ErrandRequest}. */
export const errandRequestSchema: z.ZodType<ErrandRequest> = z.object({
  worker: idSchema.optional(),
  readsParts: z.boolean().optional(),
  done: z.object({ id: idSchema, outcome: errandOutcomeSchema }).optional(),
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
      next: count.optional(),
      // What can't be read is as good as none.
      snapshot: storedSnapshotSchema.optional().catch(undefined),
      query: z.object({ name: z.string(), args: z.string() }).optional(),
    })
    .nullable(),
});

/** Checks {@link JobVerdict}. */
export const jobVerdictSchema: z.ZodType<JobVerdict> = z.object({ attempt: z.number().int().positive(), ...verdict });

/** Body of `POST /queue/query/{job}`. */
export interface QueryJob {
  /** Of the handler. */
  readonly name: string;
  /** Any JSON value. @default null */
  readonly args?: unknown;
}

/** Its answer. */
export interface QueryAnswer {
  /** What the handler returned. */
  readonly value: unknown;
}

/** Checks {@link QueryJob}. */
export const queryJobSchema: z.ZodType<QueryJob> = z.strictObject({
  name: z.string().min(1).max(limits.idCharsMax),
  args: z.unknown(),
});

/** Checks {@link QueryAnswer}. */
export const queryAnswerSchema: z.ZodType<QueryAnswer> = z.object({ value: z.unknown() });

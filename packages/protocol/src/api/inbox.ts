/**
 * What waits for a job at the control plane, and what a job's holder has done inside the system (I7). Lease, epoch and
 * attempt are those of the request around it; order and meaning: `docs/internals/inbox.md`.
 */
import { z } from 'zod';
import { errorRecordSchema } from './error-record.ts';
import { childOptionsSchema, type ChildOptions } from './job-options.ts';
import type { ErrorRecord } from '../error.ts';
import { idSchema } from '../job.ts';
import type { ChildOutcome } from '../journal/answer.ts';
import { limits } from '../limits.ts';

/** What an inbox item says. */
export type InboxBody =
  /** `data` is JSON text; `from` is the sending job, null when it was sent from outside. */
  | { readonly type: 'message'; readonly from: string | null; readonly messageType: string; readonly data: string }
  /** A child job is over. */
  | { readonly type: 'child'; readonly job: string; readonly outcome: ChildOutcome }
  /** An internal effect of this attempt was refused: that of call number `call`. */
  | { readonly type: 'refused'; readonly call: number; readonly error: ErrorRecord };

/** One item, numbered from 1 per job in the order of arrival. */
export interface InboxItem {
  readonly number: number;
  /** Unix ms. */
  readonly at: number;
  readonly body: InboxBody;
}

/** Something inside the system that the entries of an append ask for; applied in the transaction that stores them. */
export type InternalEffect =
  /** The entries hold what these items said: they leave the inbox. */
  | { readonly type: 'consume'; readonly items: readonly number[] }
  | {
      readonly type: 'start';
      readonly call: number;
      readonly job: string;
      readonly workflow: string;
      /** JSON text. */
      readonly input: string;
      readonly attemptsMax: number;
      readonly detached: boolean;
      /** How it is queued. @default none */
      readonly options?: ChildOptions | undefined;
    }
  | {
      readonly type: 'send';
      readonly call: number;
      readonly job: string;
      readonly messageType: string;
      /** JSON text. */
      readonly data: string;
    }
  /** `value` is JSON text. */
  | { readonly type: 'respond'; readonly value: string };

/** Body of `POST /peer/inbox`: items with a number above `after`, waiting up to `waitMs` for the first one. */
export interface InboxRequest {
  readonly job: string;
  readonly epoch: number;
  readonly after: number;
  /** @default 0 */
  readonly waitMs?: number | undefined;
  readonly worker?: string | undefined;
}

export interface InboxAnswer {
  readonly items: readonly InboxItem[];
}

const positive = z.number().int().positive();
const count = z.number().int().nonnegative();
const json = z.string();
const name = z.string().min(1).max(limits.idCharsMax);
/** Checks a message's or a workflow's name as a guest gave it: text of a bounded length. */
const reference = z
  .string()
  .min(1)
  .max(3 * limits.idCharsMax);

const childOutcomeSchema: z.ZodType<ChildOutcome> = z.discriminatedUnion('type', [
  z.object({ type: z.literal('completed'), result: json }),
  z.object({ type: z.literal('failed'), code: z.string(), message: z.string() }),
  z.object({ type: z.literal('cancelled'), reason: z.string() }),
]);

/** Checks {@link InboxItem}. */
export const inboxItemSchema: z.ZodType<InboxItem> = z.object({
  number: positive,
  at: count,
  body: z.discriminatedUnion('type', [
    z.object({ type: z.literal('message'), from: z.string().nullable(), messageType: name, data: json }),
    z.object({ type: z.literal('child'), job: idSchema, outcome: childOutcomeSchema }),
    z.object({ type: z.literal('refused'), call: positive, error: errorRecordSchema }),
  ]),
});

/** Checks {@link InternalEffect}. */
export const internalEffectSchema: z.ZodType<InternalEffect> = z.discriminatedUnion('type', [
  z.object({ type: z.literal('consume'), items: z.array(positive).max(limits.inboxItemsMax) }),
  z.object({
    type: z.literal('start'),
    call: positive,
    job: z.string(),
    workflow: reference,
    input: json,
    attemptsMax: positive.max(limits.attemptsMax),
    detached: z.boolean(),
    options: childOptionsSchema.optional(),
  }),
  z.object({ type: z.literal('send'), call: positive, job: z.string(), messageType: name, data: json }),
  z.object({ type: z.literal('respond'), value: json }),
]);

/** Checks the internal effects of one append. */
export const internalEffectsSchema: z.ZodType<readonly InternalEffect[] | undefined> = z
  .array(internalEffectSchema)
  .max(limits.internalEffectsMax)
  .optional();

/** Checks {@link InboxRequest}. */
export const inboxRequestSchema: z.ZodType<InboxRequest> = z.object({
  job: idSchema,
  epoch: positive,
  after: count,
  waitMs: count.max(limits.waitMsMax).optional(),
  worker: idSchema.optional(),
});

/** Checks {@link InboxAnswer}. */
export const inboxAnswerSchema: z.ZodType<InboxAnswer> = z.object({ items: z.array(inboxItemSchema) });

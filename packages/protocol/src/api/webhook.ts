/** Webhooks: requests that the control plane sends when jobs change. `docs/guides/webhooks.md`. */
import { z } from 'zod';
import { idSchema, jobStates, type JobState } from '../job.ts';
import { limits } from '../limits.ts';

/** A webhook, as an operator writes it. */
export interface WebhookSpec {
  /** http or https. */
  readonly url: string;
  /** States of which it is told. @default the final ones */
  readonly states?: readonly JobState[] | undefined;
  /** Only of jobs of this queue. @default of all */
  readonly queue?: string | undefined;
  /** Signs what is sent. @default nothing is signed */
  readonly secret?: string | undefined;
}

/** Checks {@link WebhookSpec}. */
export const webhookSpecSchema: z.ZodType<WebhookSpec> = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'a URL that begins with http:// or https://' }).max(limits.urlCharsMax),
  states: z.array(z.enum(jobStates)).min(1).optional(),
  queue: idSchema.optional(),
  secret: z.string().min(1).max(limits.idCharsMax).optional(),
});

/** A webhook as the API shows it. */
export interface WebhookView {
  readonly webhook: string;
  readonly url: string;
  readonly states: readonly JobState[];
  readonly queue: string | null;
  /** Whether there is a secret. */
  readonly signed: boolean;
  /** The change up to which it was told. */
  readonly change: number;
  /** Changes of which it could not be told, and that were given up. */
  readonly dropped: number;
  /** What went wrong last; null: the last request was taken. */
  readonly error: string | null;
}

/** Checks {@link WebhookView}. */
export const webhookViewSchema: z.ZodType<WebhookView> = z.object({
  webhook: idSchema,
  url: z.string(),
  states: z.array(z.enum(jobStates)),
  queue: z.string().nullable(),
  signed: z.boolean(),
  change: z.number().int(),
  dropped: z.number().int(),
  error: z.string().nullable(),
});

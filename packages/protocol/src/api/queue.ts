/** Queues: what an operator sets for each, and how they are shown. */
import { z } from 'zod';
import { idSchema } from '../job.ts';
import { limits } from '../limits.ts';

/** The queue of a job that names none. */
export const defaultQueue = 'default';

/** At most `count` claims in any `per_ms`. */
export interface RateRule {
  readonly count: number;
  readonly per_ms: number;
}

/** Limits of one key of a queue. */
export interface KeyLimits {
  /** Most jobs that run at the same time. @default no limit */
  readonly concurrency?: number | undefined;
  /** Claims, also those that continue a job. @default no limit */
  readonly rate?: RateRule | undefined;
}

/**
 * What a queue does: it gives jobs (`open`), none (`paused`), or none but those that it has, and takes no new ones
 * (`draining`).
 */
export type QueueMode = 'open' | 'paused' | 'draining';

/** What is set for a queue. A queue of which nothing was ever set is open and has no limits. */
export interface QueueSettings extends KeyLimits {
  /** @default 'open' */
  readonly mode?: QueueMode | undefined;
  /** Jobs that could be claimed; publishing more is refused with QUEUE_FULL. @default no limit of its own */
  readonly pending_max?: number | undefined;
  /** For each key of the queue that has no limits of its own. @default no limits */
  readonly each_key?: KeyLimits | undefined;
  /** For single keys. @default none */
  readonly keys?: Readonly<Record<string, KeyLimits>> | undefined;
}

/** What limits a key of a queue with such settings. */
export const limitsOfKey = ({ keys, each_key: each }: QueueSettings, key: string): KeyLimits =>
  // A key such as "constructor" is in every record.
  (keys !== undefined && Object.hasOwn(keys, key) ? keys[key] : undefined) ?? each ?? {};

const count = z.number().int().min(1).max(limits.queueCountMax);
const rateRule = z.strictObject({ count, per_ms: z.number().int().min(1).max(limits.durationMsMax) });
const keyLimits = { concurrency: count.optional(), rate: rateRule.optional() };

/** Checks {@link QueueSettings}. */
export const queueSettingsSchema: z.ZodType<QueueSettings> = z.strictObject({
  mode: z.enum(['open', 'paused', 'draining']).optional(),
  ...keyLimits,
  pending_max: z.number().int().min(0).max(limits.queueCountMax).optional(),
  each_key: z.strictObject(keyLimits).optional(),
  keys: z
    .record(z.string().min(1).max(limits.idCharsMax), z.strictObject(keyLimits))
    .refine((keys) => Object.keys(keys).length <= limits.queueKeysMax, {
      message: `at most ${limits.queueKeysMax} keys have limits of their own`,
    })
    .optional(),
});

/** A change of {@link QueueSettings}: what is left out stays, null takes it back to its default. */
export type QueueChange = { readonly [K in keyof QueueSettings]: QueueSettings[K] | null };

// A record has no place for this name, and would leave it out without a word.
const withoutProto = (keys: unknown, { addIssue }: { readonly addIssue: (message: string) => void }): unknown => {
  if (typeof keys === 'object' && keys !== null && Object.hasOwn(keys, '__proto__'))
    addIssue('the key "__proto__" can have no limits of its own: those of "each_key" apply to it');
  return keys;
};

/** Checks {@link QueueChange}. */
export const queueChangeSchema: z.ZodType<QueueChange> = z.strictObject({
  mode: z.enum(['open', 'paused', 'draining']).nullish(),
  concurrency: count.nullish(),
  rate: rateRule.nullish(),
  pending_max: z.number().int().min(0).max(limits.queueCountMax).nullish(),
  each_key: z.strictObject(keyLimits).nullish(),
  keys: z
    .preprocess(withoutProto, z.record(z.string().min(1).max(limits.idCharsMax), z.strictObject(keyLimits)))
    .nullish(),
});

/** A queue as the API shows it. */
export interface QueueView {
  readonly queue: string;
  readonly mode: QueueMode;
  readonly settings: QueueSettings;
  /** Jobs that could be claimed now, were no limit full and the queue open. */
  readonly ready: number;
  /** Jobs that a worker holds. */
  readonly running: number;
  /** Keys that have a job which could be claimed now. */
  readonly ready_keys: number;
}

/** Checks {@link QueueView}. */
export const queueViewSchema: z.ZodType<QueueView> = z.object({
  queue: idSchema,
  mode: z.enum(['open', 'paused', 'draining']),
  settings: queueSettingsSchema,
  ready: z.number().int().min(0),
  running: z.number().int().min(0),
  ready_keys: z.number().int().min(0),
});

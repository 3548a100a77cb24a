/**
 * What a publisher may say about how a job is queued, beside what it runs: `docs/guides/queue.md`. The options are kept as
 * one JSON text in a fixed order, without those that were left out, so that the same options have the same text.
 */
import { z } from 'zod';
import { idSchema } from '../job.ts';
import { limits } from '../limits.ts';

/** What happens to a job when one that it waits for does not complete: it fails, is cancelled, or runs all the same. */
export type DependencyPolicy = 'fail' | 'cancel' | 'continue';

/** Keeps jobs alike from being there twice. */
export interface UniqueRule {
  /** Names what must be unique, in all queues. */
  readonly key: string;
  /** For how long after its publish a job keeps the key, also when it is over. @default until it is over */
  readonly window_ms?: number | undefined;
  /**
   * What a publish does while another job has the key. `ignore`: it is answered with that job. `reject`: JOB_EXISTS.
   * `replace`: that job is cancelled when nobody has begun it, and this one takes the key. `debounce`: like `replace`, and
   * this one runs `window_ms` after the last such publish.
   *
   * @default 'ignore'
   */
  readonly policy?: 'ignore' | 'reject' | 'replace' | 'debounce' | undefined;
}

/** See the head of this file. Times are Unix ms, durations ms. */
export interface JobOptions {
  /** @default 'default' */
  readonly queue?: string | undefined;
  /** -100 to 100, higher first; a step counts as much as ten minutes of waiting. @default 0 */
  readonly priority?: number | undefined;
  /** Whom the job is for, such as a tenant: keys of a queue take turns, and limits count by key. @default none */
  readonly key?: string | undefined;
  /** Tags that a worker must have. @default none */
  readonly requires?: readonly string[] | undefined;
  /** For searching. @default none */
  readonly tags?: readonly string[] | undefined;
  /** Not before this long after its publish. @default 0 */
  readonly delay_ms?: number | undefined;
  /** Not before this time. @default at once */
  readonly run_at_ms?: number | undefined;
  /** The job fails when no worker has begun it for this long after it could run. @default never */
  readonly start_timeout_ms?: number | undefined;
  /** The attempt fails this long after its first claim, waits included. @default never */
  readonly attempt_timeout_ms?: number | undefined;
  /** The job fails this long after its publish. @default never */
  readonly timeout_ms?: number | undefined;
  /** @default not unique */
  readonly unique?: UniqueRule | undefined;
  /** Ids of jobs that must be over first. @default none */
  readonly after?: readonly string[] | undefined;
  /** @default 'fail' */
  readonly on_dependency_failure?: DependencyPolicy | undefined;
}

const text = z.string().min(1).max(limits.idCharsMax);
const duration = z.number().int().min(1).max(limits.durationMsMax);
const tags = z.array(idSchema).max(limits.tagsMax);

/** The shape of {@link JobOptions}, in the order in which they are kept. */
export const jobOptionShape: { readonly [K in keyof JobOptions]-?: z.ZodType<JobOptions[K]> } = {
  queue: idSchema.optional(),
  priority: z.number().int().min(-limits.priorityMax).max(limits.priorityMax).optional(),
  key: text.optional(),
  requires: tags.optional(),
  tags: tags.optional(),
  delay_ms: z.number().int().min(0).max(limits.durationMsMax).optional(),
  run_at_ms: z.number().int().min(0).max(limits.timeMsMax).optional(),
  start_timeout_ms: duration.optional(),
  attempt_timeout_ms: duration.optional(),
  timeout_ms: duration.optional(),
  unique: z
    .strictObject({
      key: text,
      window_ms: duration.optional(),
      policy: z.enum(['ignore', 'reject', 'replace', 'debounce']).optional(),
    })
    .refine((rule) => rule.policy !== 'debounce' || rule.window_ms !== undefined, {
      message: 'the policy "debounce" needs "window_ms": how long after the last publish the job runs',
    })
    .optional(),
  after: z.array(idSchema).max(limits.dependenciesMax).optional(),
  on_dependency_failure: z.enum(['fail', 'cancel', 'continue']).optional(),
};

const jobOptionsSchema: z.ZodType<JobOptions> = z.object(jobOptionShape);

/** What a workflow may say about how a job that it starts is queued. */
export type ChildOptions = Pick<
  JobOptions,
  | 'queue'
  | 'priority'
  | 'key'
  | 'requires'
  | 'tags'
  | 'delay_ms'
  | 'start_timeout_ms'
  | 'attempt_timeout_ms'
  | 'timeout_ms'
>;

const {
  run_at_ms: _at,
  unique: _unique,
  after: _after,
  on_dependency_failure: _policy,
  ...childShape
} = jobOptionShape;

/** Checks {@link ChildOptions} that a worker sends: what a newer one adds is ignored. */
export const childOptionsSchema: z.ZodType<ChildOptions> = z.object(childShape);

/** Checks {@link ChildOptions} that an author wrote. */
export const strictChildOptionsSchema: z.ZodType<ChildOptions> = z.strictObject(childShape);

/** The options among other fields as text; null when none is given. */
export const optionsText = (options: JobOptions): string | null => {
  // Most jobs have none.
  if (!hasOptions(options)) return null;
  // Parsing keeps the order of the shape, and leaves all other fields out.
  const kept = jobOptionsSchema.parse({
    ...options,
    requires: sortedTags(options.requires),
    tags: sortedTags(options.tags),
    after: options.after === undefined || options.after.length === 0 ? undefined : options.after,
  });
  const written = JSON.stringify(kept);
  return written === '{}' ? null : written;
};

const optionNames: ReadonlySet<string> = new Set(Object.keys(jobOptionShape));

const hasOptions = (options: object): boolean => {
  for (const name in options) if (optionNames.has(name)) return true;
  return false;
};

const sortedTags = (given: readonly string[] | undefined): readonly string[] | undefined =>
  given === undefined || given.length === 0 ? undefined : [...new Set(given)].sort();

const none: JobOptions = {};

/** The options from their text. */
export const optionsOf = (written: string | null): JobOptions =>
  written === null ? none : jobOptionsSchema.parse(JSON.parse(written));

/**
 * Intents: what a guest asks for at the end of an activation. The canonical form (positional arrays) is what the
 * journal keeps and what replay compares byte for byte (I6), whatever form the guest's own kind uses.
 */
import { z } from 'zod';
import { mvmError } from '../error.ts';

/** Log levels, least urgent first. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
/** One of {@link logLevels}. */
export type LogLevel = (typeof logLevels)[number];

/** How redirects are treated, as in the Fetch standard. */
export const redirectModes = ['follow', 'manual', 'error'] as const;
/** One of {@link redirectModes}. */
export type RedirectMode = (typeof redirectModes)[number];

/** An HTTP request. `call` numbers the calls of an attempt from 1, in the order in which the guest made them. */
export interface FetchIntent {
  readonly type: 'fetch';
  readonly call: number;
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array | null;
  readonly redirect: RedirectMode;
  /** Whole time for request and body, in ms. */
  readonly timeoutMs: number;
  /** Whether it may be sent again after an unknown outcome; null: by the method (RFC 9110 section 9.2.2). */
  readonly idempotent: boolean | null;
  /** The author's own `Idempotency-Key`; null: derived from job, attempt and call. */
  readonly key: string | null;
}

/** A durable timer, from the activation's time on. */
export interface SleepIntent {
  readonly type: 'sleep';
  readonly call: number;
  readonly ms: number;
}

/** The guest no longer wants the answer of `call`; it will not get one. */
export interface AbandonIntent {
  readonly type: 'abandon';
  readonly call: number;
}

/** A line for the job's log. */
export interface LogIntent {
  readonly type: 'log';
  readonly level: LogLevel;
  readonly text: string;
}

/** How far the job is. */
export interface ProgressIntent {
  readonly type: 'progress';
  /** 0–100. */
  readonly percent: number;
  readonly text: string;
}

/** The workflow returned. `result` is JSON text. */
export interface CompleteIntent {
  readonly type: 'complete';
  readonly result: string;
}

/** The workflow threw. */
export interface FailIntent {
  readonly type: 'fail';
  /** The error's own code, such as `OUTCOME_UNKNOWN`, or `WORKFLOW_FAILED`. */
  readonly code: string;
  readonly name: string;
  readonly message: string;
  /** As the guest's runtime gave it, '' when it has none. */
  readonly stack: string;
}

/** What a guest asks for. */
export type Intent =
  | FetchIntent
  | SleepIntent
  | AbandonIntent
  | LogIntent
  | ProgressIntent
  | CompleteIntent
  | FailIntent;

/** The intents that are performed outside the guest and answered. */
export type EffectIntent = FetchIntent | SleepIntent;

/** Whether the host performs and answers this intent. */
export const isEffect = (intent: Intent): intent is EffectIntent => intent.type === 'fetch' || intent.type === 'sleep';

const call = z.number().int().positive();
const bytes: z.ZodType<Uint8Array> = z.instanceof(Uint8Array);
const packedSchema = z.union([
  z.tuple([
    z.literal(0),
    call,
    z.string(),
    z.string(),
    z.array(z.tuple([z.string(), z.string()])),
    bytes.nullable(),
    z.enum(redirectModes),
    z.number().int().positive(),
    z.boolean().nullable(),
    z.string().nullable(),
  ]),
  z.tuple([z.literal(1), call, z.number().nonnegative()]),
  z.tuple([z.literal(2), call]),
  z.tuple([z.literal(3), z.enum(logLevels), z.string()]),
  z.tuple([z.literal(4), z.number().min(0).max(100), z.string()]),
  z.tuple([z.literal(5), z.string()]),
  z.tuple([z.literal(6), z.string(), z.string(), z.string(), z.string()]),
]);
type PackedIntent = z.infer<typeof packedSchema>;

/** The canonical arrays of `intents`, to be packed. */
export const encodeIntents = (intents: readonly Intent[]): readonly unknown[] => intents.map(encodeIntent);

const encodeIntent = (intent: Intent): PackedIntent => {
  switch (intent.type) {
    case 'fetch': {
      const { method, url, headers, body, redirect, timeoutMs, idempotent, key } = intent;
      const pairs = headers.map(([name, value]): [string, string] => [name, value]);
      return [0, intent.call, method, url, pairs, body, redirect, timeoutMs, idempotent, key];
    }
    case 'sleep':
      return [1, intent.call, intent.ms];
    case 'abandon':
      return [2, intent.call];
    case 'log':
      return [3, intent.level, intent.text];
    case 'progress':
      return [4, intent.percent, intent.text];
    case 'complete':
      return [5, intent.result];
    case 'fail':
      return [6, intent.code, intent.name, intent.message, intent.stack];
  }
};

/**
 * The intents in canonical arrays, as they come out of a journal.
 *
 * @throws {MvmError} `JOURNAL_CORRUPT` when an array isn't an intent.
 */
export const decodeIntents = (packed: readonly unknown[]): readonly Intent[] => {
  const parsed = z.array(packedSchema).safeParse(packed);
  if (!parsed.success)
    throw mvmError('JOURNAL_CORRUPT', `not an intent of journal format 1: ${z.prettifyError(parsed.error)}`);
  return parsed.data.map(decodeIntent);
};

const decodeIntent = (packed: PackedIntent): Intent => {
  switch (packed[0]) {
    case 0: {
      const [, number, method, url, headers, body, redirect, timeoutMs, idempotent, key] = packed;
      return { type: 'fetch', call: number, method, url, headers, body, redirect, timeoutMs, idempotent, key };
    }
    case 1:
      return { type: 'sleep', call: packed[1], ms: packed[2] };
    case 2:
      return { type: 'abandon', call: packed[1] };
    case 3:
      return { type: 'log', level: packed[1], text: packed[2] };
    case 4:
      return { type: 'progress', percent: packed[1], text: packed[2] };
    case 5:
      return { type: 'complete', result: packed[1] };
    case 6:
      return { type: 'fail', code: packed[1], name: packed[2], message: packed[3], stack: packed[4] };
  }
};

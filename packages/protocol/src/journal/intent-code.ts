/**
 * The canonical arrays of intents (`docs/reference/journal.md`): what the journal keeps and what replay compares. An intent
 * has one encoding only; a fetch that uses nothing but what format 1 began with keeps the array of that time.
 */
import { z } from 'zod';
import { mvmError } from '../error.ts';
import { logLevels, redirectModes, type FetchIntent, type InsideIntent, type Intent } from './intent.ts';

const call = z.number().int().positive();
const bytes: z.ZodType<Uint8Array> = z.instanceof(Uint8Array);
const text = z.string();
const fetchFields = [
  call,
  text,
  text,
  z.array(z.tuple([text, text])),
  bytes.nullable(),
  z.enum(redirectModes),
  z.number().int().positive(),
  z.boolean().nullable(),
  text.nullable(),
] as const;
const packedSchema = z.union([
  z.tuple([z.literal(0), ...fetchFields]),
  z.tuple([z.literal(1), call, z.number().nonnegative()]),
  z.tuple([z.literal(2), call]),
  z.tuple([z.literal(3), z.enum(logLevels), text]),
  z.tuple([z.literal(4), z.number().min(0).max(100), text]),
  z.tuple([z.literal(5), text]),
  z.tuple([z.literal(6), text, text, text, text]),
  z.tuple([z.literal(7), ...fetchFields, z.boolean(), text.nullable()]),
  z.tuple([z.literal(8), call, z.array(text).nullable()]),
  z.tuple([z.literal(9), call, text.nullable(), text, text, call, z.boolean()]),
  z.tuple([z.literal(10), call, text]),
  z.tuple([z.literal(11), call, text, text, text]),
  z.tuple([z.literal(12), text]),
  z.tuple([z.literal(13), z.enum(['open', 'close']), call, text]),
  z.tuple([z.literal(14), text]),
]);
type PackedIntent = z.infer<typeof packedSchema>;
type PackedFetch = Extract<PackedIntent, { readonly 0: 0 | 7 }>;
type PackedInside = Extract<PackedIntent, { readonly 0: 8 | 9 | 10 | 11 | 12 | 13 | 14 }>;

/** The canonical arrays of `intents`, to be packed. */
export const encodeIntents = (intents: readonly Intent[]): readonly unknown[] => intents.map(encodeIntent);

const encodeIntent = (intent: Intent): PackedIntent => {
  switch (intent.type) {
    case 'fetch':
      return encodeFetch(intent);
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
    default:
      return encodeInside(intent);
  }
};

const encodeInside = (intent: InsideIntent): PackedIntent => {
  switch (intent.type) {
    case 'receive':
      return [8, intent.call, intent.types && [...intent.types]];
    case 'start':
      return [9, intent.call, intent.job, intent.workflow, intent.input, intent.attemptsMax, intent.detached];
    case 'join':
      return [10, intent.call, intent.job];
    case 'send':
      return [11, intent.call, intent.job, intent.messageType, intent.data];
    case 'respond':
      return [12, intent.value];
    case 'group':
      return [13, intent.action, intent.id, intent.name];
    case 'version':
      return [14, intent.change];
  }
};

const encodeFetch = (intent: FetchIntent): PackedFetch => {
  const { method, url, headers, body, redirect, timeoutMs, idempotent, key, into, bodyBlob } = intent;
  const pairs = headers.map(([name, value]): [string, string] => [name, value]);
  if (into === undefined && bodyBlob === undefined)
    return [0, intent.call, method, url, pairs, body, redirect, timeoutMs, idempotent, key];
  const extras = [into === 'blob', bodyBlob ?? null] as const;
  return [7, intent.call, method, url, pairs, body, redirect, timeoutMs, idempotent, key, ...extras];
};

/**
 * The intents in canonical arrays, as they come out of a journal.
 *
 * @throws {MvmError} `JOURNAL_CORRUPT` when an array isn't an intent.
 */
export const decodeIntents = (packed: readonly unknown[]): readonly Intent[] => {
  const parsed = z.array(packedSchema).safeParse(packed);
  if (!parsed.success)
    throw mvmError('JOURNAL_CORRUPT', `not an intent that this build knows: ${z.prettifyError(parsed.error)}`);
  return parsed.data.map(decodeIntent);
};

const decodeIntent = (packed: PackedIntent): Intent => {
  switch (packed[0]) {
    case 0:
    case 7:
      return decodeFetch(packed);
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
    default:
      return decodeInside(packed);
  }
};

const decodeInside = (packed: PackedInside): InsideIntent => {
  switch (packed[0]) {
    case 8:
      return { type: 'receive', call: packed[1], types: packed[2] };
    case 9: {
      const [, number, job, workflow, input, attemptsMax, detached] = packed;
      return { type: 'start', call: number, job, workflow, input, attemptsMax, detached };
    }
    case 10:
      return { type: 'join', call: packed[1], job: packed[2] };
    case 11:
      return { type: 'send', call: packed[1], job: packed[2], messageType: packed[3], data: packed[4] };
    case 12:
      return { type: 'respond', value: packed[1] };
    case 13:
      return { type: 'group', action: packed[1], id: packed[2], name: packed[3] };
    case 14:
      return { type: 'version', change: packed[1] };
  }
};

const decodeFetch = (packed: PackedFetch): FetchIntent => {
  const [, number, method, url, headers, body, redirect, timeoutMs, idempotent, key] = packed;
  const plain = { method, url, headers, body, redirect, timeoutMs, idempotent, key };
  const [into, bodyBlob] = packed[0] === 7 ? [packed[10], packed[11]] : [false, null];
  return {
    type: 'fetch',
    call: number,
    ...plain,
    ...(into && { into: 'blob' as const }),
    ...(bodyBlob !== null && { bodyBlob }),
  };
};

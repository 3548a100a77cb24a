/**
 * The canonical arrays of intents (`docs/reference/journal.md`): what the journal keeps and what replay compares. An intent
 * has one encoding only; a fetch that uses nothing but what format 1 began with keeps the array of that time.
 */
import { mvmError } from '../error.ts';
import {
  logLevels,
  redirectModes,
  type FetchIntent,
  type InsideIntent,
  type Intent,
  type LogLevel,
  type RedirectMode,
  type StartIntent,
} from './intent.ts';
import {
  hasShapeOfKind,
  isBetween,
  isBytes,
  isFlag,
  isHeader,
  isOneOf,
  isOrdinal,
  isText,
  isWhole,
  listOf,
  orNull,
  type Shape,
} from './packed-shape.ts';

type FetchFields = [
  call: number,
  method: string,
  url: string,
  headers: [name: string, value: string][],
  body: Uint8Array | null,
  redirect: RedirectMode,
  timeoutMs: number,
  idempotent: boolean | null,
  key: string | null,
];
type StartFields = [
  call: number,
  job: string | null,
  workflow: string,
  input: string,
  attemptsMax: number,
  detached: boolean,
];
/** The canonical array of an intent. */
type PackedIntent =
  | [0, ...FetchFields]
  | [1, call: number, ms: number]
  | [2, call: number]
  | [3, level: LogLevel, text: string]
  | [4, percent: number, text: string]
  | [5, result: string]
  | [6, code: string, name: string, message: string, stack: string]
  | [7, ...FetchFields, intoBlob: boolean, bodyBlob: string | null]
  | [8, call: number, types: string[] | null]
  | [9, ...StartFields]
  | [10, call: number, job: string]
  | [11, call: number, job: string, messageType: string, data: string]
  | [12, value: string]
  | [13, action: 'open' | 'close', id: number, name: string]
  | [14, change: string]
  | [15, ...StartFields, options: string];

const fetchFields = [
  isOrdinal,
  isText,
  isText,
  listOf(isHeader),
  orNull(isBytes),
  isOneOf(...redirectModes),
  isOrdinal,
  orNull(isFlag),
  orNull(isText),
] as const;
const startFields = [isOrdinal, orNull(isText), isText, isText, isOrdinal, isFlag] as const;
/** By the number that comes first. */
const shapes: readonly Shape[] = [
  [isWhole, ...fetchFields],
  [isWhole, isOrdinal, isBetween(0, Number.MAX_VALUE)],
  [isWhole, isOrdinal],
  [isWhole, isOneOf(...logLevels), isText],
  [isWhole, isBetween(0, 100), isText],
  [isWhole, isText],
  [isWhole, isText, isText, isText, isText],
  [isWhole, ...fetchFields, isFlag, orNull(isText)],
  [isWhole, isOrdinal, orNull(listOf(isText))],
  [isWhole, ...startFields],
  [isWhole, isOrdinal, isText],
  [isWhole, isOrdinal, isText, isText, isText],
  [isWhole, isText],
  [isWhole, isOneOf('open', 'close'), isOrdinal, isText],
  [isWhole, isText],
  [isWhole, ...startFields, isText],
];

const isPackedIntent = (value: unknown): value is PackedIntent => hasShapeOfKind(value, shapes);

type PackedFetch = Extract<PackedIntent, { readonly 0: 0 | 7 }>;
type PackedInside = Extract<PackedIntent, { readonly 0: 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 }>;

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
      return encodeStart(intent);
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

const encodeStart = ({ call, job, workflow, input, attemptsMax, detached, options }: StartIntent): PackedInside =>
  options === undefined
    ? [9, call, job, workflow, input, attemptsMax, detached]
    : [15, call, job, workflow, input, attemptsMax, detached, options];

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
  const intents: Intent[] = [];
  for (const each of packed) {
    if (!isPackedIntent(each)) throw mvmError('JOURNAL_CORRUPT', `not an intent that this build knows: ${shown(each)}`);
    intents.push(decodeIntent(each));
  }
  return intents;
};

const shownCharsMax = 200;
const shown = (value: unknown): string => JSON.stringify([value]).slice(0, shownCharsMax);

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
    case 9:
    case 15: {
      const [, number, job, workflow, input, attemptsMax, detached, options] = packed;
      const start = { type: 'start', call: number, job, workflow, input, attemptsMax, detached } as const;
      return options === undefined ? start : { ...start, options };
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
  if (packed[0] === 0) return { type: 'fetch', call: number, ...plain };
  const [into, bodyBlob] = [packed[10], packed[11]];
  return {
    type: 'fetch',
    call: number,
    ...plain,
    ...(into && { into: 'blob' as const }),
    ...(bodyBlob !== null && { bodyBlob }),
  };
};

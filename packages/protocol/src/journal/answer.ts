/** Answers: what a guest is told about its calls, and their canonical arrays (`docs/reference/journal.md`). */
import {
  hasShape,
  isBytes,
  isCount,
  isFlag,
  isHeader,
  isOneOf,
  isOrdinal,
  isText,
  isWhole,
  kindOf,
  listOf,
  orNull,
  type Shape,
} from './packed-shape.ts';

/** An HTTP response as an effect's result. `body` holds the decoded (not compressed) bytes. */
export interface FetchResult {
  readonly status: number;
  readonly statusText: string;
  /** The URL after redirects. */
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  /** Where the body went when the fetch asked for that; `body` is empty then. */
  readonly blob?: BlobRef | undefined;
}

/** A blob that the cluster keeps, by the BLAKE3 hash of its bytes, hex. */
export interface BlobRef {
  readonly hash: string;
  readonly bytes: number;
}

/** How a child job ended. */
export type ChildOutcome =
  /** `result` is JSON text. */
  | { readonly type: 'completed'; readonly result: string }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'cancelled'; readonly reason: string };

/** What the guest is told about one of its calls. */
export type Answer =
  | { readonly type: 'fetched'; readonly response: FetchResult }
  | { readonly type: 'slept' }
  | { readonly type: 'error'; readonly code: string; readonly message: string }
  /** `item` is the inbox number of what this answer consumes (I7); `data` is JSON text; `from` null: not from a job. */
  | {
      readonly type: 'message';
      readonly item: number;
      readonly from: string | null;
      readonly messageType: string;
      readonly data: string;
    }
  | { readonly type: 'started'; readonly job: string }
  | { readonly type: 'joined'; readonly item: number; readonly outcome: ChildOutcome }
  | { readonly type: 'sent' };

type Headers = [name: string, value: string][];
/** The canonical array of an answer. */
export type PackedAnswer =
  | [0, status: number, statusText: string, url: string, redirected: boolean, Headers, body: Uint8Array]
  | [1]
  | [2, code: string, message: string]
  | [3, item: number, from: string | null, messageType: string, data: string]
  | [4, job: string]
  | [5, item: number, 0, result: string]
  | [5, item: number, 1, code: string, message: string]
  | [5, item: number, 2, reason: string]
  | [6]
  | [7, status: number, statusText: string, url: string, redirected: boolean, Headers, hash: string, bytes: number];

const responseFields = [isWhole, isText, isText, isFlag, listOf(isHeader)] as const;
/** By the number that comes first; `joined` has one for each outcome. */
const shapes: readonly (readonly Shape[])[] = [
  [[isWhole, ...responseFields, isBytes]],
  [[isWhole]],
  [[isWhole, isText, isText]],
  [[isWhole, isOrdinal, orNull(isText), isText, isText]],
  [[isWhole, isText]],
  [
    [isWhole, isOrdinal, isOneOf(0), isText],
    [isWhole, isOrdinal, isOneOf(1), isText, isText],
    [isWhole, isOrdinal, isOneOf(2), isText],
  ],
  [[isWhole]],
  [[isWhole, ...responseFields, isText, isCount]],
];

/** Whether `value` is the canonical array of an answer. */
export const isPackedAnswer = (value: unknown): value is PackedAnswer =>
  shapes[kindOf(value)]?.some((shape) => hasShape(value, shape)) ?? false;

/** The answer's canonical array. Equal answers have equal arrays. */
export const encodeAnswer = (answer: Answer): PackedAnswer => {
  switch (answer.type) {
    case 'fetched':
      return encodeFetched(answer.response);
    case 'slept':
      return [1];
    case 'error':
      return [2, answer.code, answer.message];
    case 'message':
      return [3, answer.item, answer.from, answer.messageType, answer.data];
    case 'started':
      return [4, answer.job];
    case 'joined':
      return encodeJoined(answer.item, answer.outcome);
    case 'sent':
      return [6];
  }
};

const encodeFetched = (response: FetchResult): PackedAnswer => {
  const { status, statusText, url, redirected, body, blob } = response;
  const headers = response.headers.map(([name, value]): [string, string] => [name, value]);
  return blob === undefined
    ? [0, status, statusText, url, redirected, headers, body]
    : [7, status, statusText, url, redirected, headers, blob.hash, blob.bytes];
};

const encodeJoined = (number: number, outcome: ChildOutcome): PackedAnswer => {
  switch (outcome.type) {
    case 'completed':
      return [5, number, 0, outcome.result];
    case 'failed':
      return [5, number, 1, outcome.code, outcome.message];
    case 'cancelled':
      return [5, number, 2, outcome.reason];
  }
};

/** The answer in a canonical array that was checked. */
export const decodeAnswer = (packed: PackedAnswer): Answer => {
  switch (packed[0]) {
    case 0: {
      const [, status, statusText, url, redirected, headers, body] = packed;
      return { type: 'fetched', response: { status, statusText, url, redirected, headers, body } };
    }
    case 1:
      return { type: 'slept' };
    case 2:
      return { type: 'error', code: packed[1], message: packed[2] };
    case 3:
      return { type: 'message', item: packed[1], from: packed[2], messageType: packed[3], data: packed[4] };
    case 4:
      return { type: 'started', job: packed[1] };
    case 5:
      return { type: 'joined', item: packed[1], outcome: decodeJoined(packed) };
    case 6:
      return { type: 'sent' };
    case 7: {
      const [, status, statusText, url, redirected, headers, hash, bytes] = packed;
      const blob = { hash, bytes };
      return { type: 'fetched', response: { status, statusText, url, redirected, headers, body: noBytes, blob } };
    }
  }
};

const noBytes = new Uint8Array();

const decodeJoined = (packed: PackedAnswer & { readonly 0: 5 }): ChildOutcome => {
  switch (packed[2]) {
    case 0:
      return { type: 'completed', result: packed[3] };
    case 1:
      return { type: 'failed', code: packed[3], message: packed[4] };
    case 2:
      return { type: 'cancelled', reason: packed[3] };
  }
};

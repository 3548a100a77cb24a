/**
 * What the host tells the guest, as JSON text (docs/internals/step-machine.md, "Encoding for `javascript`").
 */

/**
 * A body: text where its bytes are valid UTF-8, else the bytes, which nobody changes; from a host that can't hand them over, in base64.
 * Null is no body.
 */
export type Body =
  | { readonly utf8: string }
  | { readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly base64: string }
  | null;

/** A name and a value, in the order in which they were sent. */
export type HeaderPair = readonly [name: string, value: string];

/** The attempt begins. First event of the first activation. */
export interface StartEvent {
  readonly type: 'start';
  readonly job: string;
  /** From 1. */
  readonly attempt: number;
  readonly workflow: string;
  /** Any JSON value. */
  readonly input: unknown;
  /** 64 hex digits: all randomness of the attempt comes from them. */
  readonly seed: string;
}

/** The response of a fetch. */
export interface Fetched {
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: readonly HeaderPair[];
  readonly body: Body;
  /** Where the body went when the fetch asked for that. */
  readonly blob?: { readonly hash: string; readonly bytes: number } | undefined;
}

/** How a call failed. */
export interface CallError {
  /** Such as `CONNECTION_LOST`, `DEADLINE_EXCEEDED`, `OUTCOME_UNKNOWN`, `LIMIT_EXCEEDED`. */
  readonly code: string;
  readonly message: string;
}

/** A message, as it was sent. */
interface MessageFacts {
  /** The job that sent it; null: it came from outside. */
  readonly from: string | null;
  readonly messageType: string;
  /** Any JSON value. */
  readonly data: unknown;
}

/** How a child job ended. */
export type ChildEnd =
  | { readonly type: 'completed'; readonly result: unknown }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  | { readonly type: 'cancelled'; readonly reason: string };

/** What became of one call: one of the fields after `call` is there. */
export interface AnswerEvent {
  readonly type: 'answer';
  readonly call: number;
  readonly fetched?: Fetched;
  readonly slept?: true;
  readonly message?: MessageFacts;
  readonly started?: { readonly job: string };
  readonly joined?: ChildEnd;
  readonly sent?: true;
  readonly error?: CallError;
}

/** Whether code that knows a change may run; told within the step that asked. */
export interface VersionEvent {
  readonly type: 'version';
  readonly change: string;
  readonly chosen: boolean;
}

/** One event of an activation. */
export type ActivationEvent = StartEvent | AnswerEvent | VersionEvent;

/** Everything that happened since the last step. */
export interface Activation {
  /** 2: bytes cross beside the text, in both directions. */
  readonly v: 1 | 2;
  /** Unix time in ms; stands still for the whole step. */
  readonly now: number;
  readonly events: readonly ActivationEvent[];
}

/**
 * The activation in `text`, in which `{ "bytes": n }` is `buffers[n]`. Only its version is looked at: host and guest are two halves of one
 * specification, and a closer look would cost every step of every job.
 *
 * @throws {TypeError} when the host speaks another version.
 */
export const parseActivation = (text: string, buffers: readonly ArrayBuffer[] = []): Activation => {
  const value: unknown = JSON.parse(text);
  if (!isActivation(value)) {
    throw new TypeError(`an activation must have "v": 1 or 2 and "events": received ${text.slice(0, 100)}`);
  }
  return buffers.length === 0 ? value : { ...value, events: value.events.map((event) => withBytes(event, buffers)) };
};

const isActivation = (value: unknown): value is Activation =>
  typeof value === 'object' && value !== null && 'v' in value && (value.v === 1 || value.v === 2) && 'events' in value;

const withBytes = (event: ActivationEvent, buffers: readonly ArrayBuffer[]): ActivationEvent => {
  if (event.type !== 'answer' || !event.fetched?.body || !('bytes' in event.fetched.body)) return event;
  const bytes = new Uint8Array(buffers[Number(event.fetched.body.bytes)] ?? new ArrayBuffer(0));
  return { ...event, fetched: { ...event.fetched, body: { bytes } } };
};

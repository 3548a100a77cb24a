/**
 * Intents: what a guest asks for at the end of an activation. The canonical form (positional arrays) is what the
 * journal keeps and what replay compares byte for byte (I6), whatever form the guest's own kind uses.
 */
import { blake3, toHex } from '../hash.ts';
import { limits } from '../limits.ts';

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
  /** Where the response's body goes: into a blob, of which the guest is told the hash. @default into the answer */
  readonly into?: 'blob' | undefined;
  /** BLAKE3 of the blob that is the request's body, hex; `body` is null then. */
  readonly bodyBlob?: string | undefined;
}

/** A durable timer, from the activation's time on. */
export interface SleepIntent {
  readonly type: 'sleep';
  readonly call: number;
  readonly ms: number;
}

/** Waits for a message. Answered by the oldest one in the inbox whose type is wanted. */
export interface ReceiveIntent {
  readonly type: 'receive';
  readonly call: number;
  /** Null: any type. */
  readonly types: readonly string[] | null;
}

/** Starts a child job, in the transaction that stores this intent (I7). */
export interface StartIntent {
  readonly type: 'start';
  readonly call: number;
  /** The author's own id for it; null: {@link childJobId}. */
  readonly job: string | null;
  /** As for a publish: `name`, `name@version`, `name/workflow` or `name@version/workflow`. */
  readonly workflow: string;
  /** JSON text. */
  readonly input: string;
  readonly attemptsMax: number;
  /** Whether it goes on when its parent ends. */
  readonly detached: boolean;
  /** How it is queued: `ChildOptions` as `optionsText` writes them. @default none */
  readonly options?: string | undefined;
}

/** Waits for the end of a child job that this attempt started. */
export interface JoinIntent {
  readonly type: 'join';
  readonly call: number;
  readonly job: string;
}

/** Puts a message into another job's inbox, in the transaction that stores this intent (I7). */
export interface SendIntent {
  readonly type: 'send';
  readonly call: number;
  readonly job: string;
  readonly messageType: string;
  /** JSON text. */
  readonly data: string;
}

/** An early result, for who waits for one while the job goes on; the first one counts. */
export interface RespondIntent {
  readonly type: 'respond';
  /** JSON text. */
  readonly value: string;
}

/** Begins or ends a named part of the timeline. */
export interface GroupIntent {
  readonly type: 'group';
  readonly action: 'open' | 'close';
  /** Unique within the attempt, from 1. */
  readonly id: number;
  /** '' on `close`. */
  readonly name: string;
}

/**
 * The workflow runs code that knows this change. A journal without it was written by code that doesn't: there the guest
 * is told so (step-machine.md, "Changed code").
 */
export interface VersionIntent {
  readonly type: 'version';
  readonly change: string;
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

/** What stays inside the system. */
export type InsideIntent =
  | ReceiveIntent
  | StartIntent
  | JoinIntent
  | SendIntent
  | RespondIntent
  | GroupIntent
  | VersionIntent;

/** What a guest asks for. */
export type Intent =
  | FetchIntent
  | SleepIntent
  | AbandonIntent
  | LogIntent
  | ProgressIntent
  | CompleteIntent
  | FailIntent
  | InsideIntent;

/** The intents that are answered: each has a call number. */
export type EffectIntent = FetchIntent | SleepIntent | ReceiveIntent | StartIntent | JoinIntent | SendIntent;

const effects: ReadonlySet<string> = new Set(['fetch', 'sleep', 'receive', 'start', 'join', 'send']);

/** Whether this intent is answered. */
export const isEffect = (intent: Intent): intent is EffectIntent => effects.has(intent.type);

/** The id of a child job whose author gave none: the same each time the same call starts it (I7). */
export const childJobId = (job: string, attempt: number, call: number): string => {
  const id = `${job}:${attempt}:${call}`;
  return id.length <= limits.idCharsMax ? id : `child:${toHex(blake3(id))}`;
};

/**
 * What the guest asks of the host, as JSON (docs/internals/step-machine.md, "Encoding for `javascript`").
 */
import type { Body, HeaderPair } from './activation.ts';

/** Log levels, least urgent first. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** How redirects are treated, as in the Fetch standard. */
export type RedirectMode = 'follow' | 'manual' | 'error';

/** An HTTP request to be sent. */
export interface FetchEffect {
  readonly type: 'fetch';
  readonly method: string;
  readonly url: string;
  readonly headers: readonly HeaderPair[];
  readonly body: Body;
  readonly redirect: RedirectMode;
  readonly timeoutMs: number;
  /** Whether it may be sent again after an unknown outcome; null: by the method. */
  readonly idempotent: boolean | null;
  /** The author's own `Idempotency-Key`; null: the host's. */
  readonly key: string | null;
  /** Where the response's body goes. @default into the answer */
  readonly into?: 'blob';
  /** The blob that is the request's body. */
  readonly bodyBlob?: string;
}

/** A durable timer. */
interface SleepEffect {
  readonly type: 'sleep';
  readonly ms: number;
}

/** Waits for a message of one of `types`; null: any. */
interface ReceiveEffect {
  readonly type: 'receive';
  readonly types: readonly string[] | null;
}

/** Starts a child job. */
interface StartEffect {
  readonly type: 'start';
  /** Null: made of job, attempt and call. */
  readonly job: string | null;
  readonly workflow: string;
  readonly input: unknown;
  readonly attemptsMax: number;
  readonly detached: boolean;
  /** Left out when there is none. */
  readonly options?: Readonly<Record<string, unknown>>;
}

/** Waits for the end of a child job. */
interface JoinEffect {
  readonly type: 'join';
  readonly job: string;
}

/** Sends a message to another job. */
interface SendEffect {
  readonly type: 'send';
  readonly job: string;
  readonly messageType: string;
  readonly data: unknown;
}

/** What the host performs and answers. */
export type Effect = FetchEffect | SleepEffect | ReceiveEffect | StartEffect | JoinEffect | SendEffect;

/** What has no answer and no call number. */
export type Note =
  | { readonly type: 'log'; readonly level: LogLevel; readonly text: string }
  | { readonly type: 'progress'; readonly percent: number; readonly text: string }
  | { readonly type: 'respond'; readonly value: unknown }
  | { readonly type: 'group'; readonly action: 'open' | 'close'; readonly id: number; readonly name: string }
  | { readonly type: 'version'; readonly change: string };

/** An intent, apart from `complete`, whose result is kept as text. */
export type Intent =
  | (Effect & { readonly call: number })
  | { readonly type: 'abandon'; readonly call: number }
  | Note
  | {
      readonly type: 'fail';
      readonly code: string;
      readonly name: string;
      readonly message: string;
      readonly stack: string;
    };

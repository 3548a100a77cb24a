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
}

/** A durable timer. */
interface SleepEffect {
  readonly type: 'sleep';
  readonly ms: number;
}

/** What the host performs and answers. */
export type Effect = FetchEffect | SleepEffect;

/** An intent, apart from `complete`, whose result is kept as text. */
export type Intent =
  | (Effect & { readonly call: number })
  | { readonly type: 'abandon'; readonly call: number }
  | { readonly type: 'log'; readonly level: LogLevel; readonly text: string }
  | { readonly type: 'progress'; readonly percent: number; readonly text: string }
  | {
      readonly type: 'fail';
      readonly code: string;
      readonly name: string;
      readonly message: string;
      readonly stack: string;
    };

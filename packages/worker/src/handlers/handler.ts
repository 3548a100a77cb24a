/** What the author of a handler writes, and what a handler is given (`docs/guides/handlers.md`). */

import type { TraceContext } from '@mvm-ci/protocol';

/** The job that a handler runs. */
export interface HandlerJob<Input = unknown> {
  readonly id: string;
  /** The handler's name. */
  readonly name: string;
  readonly input: Input;
  /** From 1. */
  readonly attempt: number;
  /** The headers of W3C Trace Context for what the handler sends. @default the job is in no trace */
  readonly trace?: TraceContext;
}

/** How often a `run` is tried again when it throws, within the attempt. */
export interface RunOptions {
  /** @default 0 */
  readonly retries?: number | undefined;
  /** Wait before the first of them, in ms; doubles each time. @default 100 */
  readonly backoffMs?: number | undefined;
}

/** What a handler can do besides what its own code does. */
export interface HandlerContext {
  /** Fires when the job is cancelled, its lease is lost, or the worker stops: what goes on then is in vain. */
  readonly signal: AbortSignal;
  /**
   * Does something once: its result, which must be JSON, is recorded, and a later attempt, or the same attempt on another
   * worker, gets that result instead of doing it again. When the worker dies in the middle it is done again: give what it
   * calls an idempotency key, such as the job's id and `name`.
   *
   * @param name unique within the job; a second run of the same name is told apart by its number
   */
  run<T>(name: string, work: (signal: AbortSignal) => T | Promise<T>, options?: RunOptions): Promise<T>;
  /** Waits. A long wait leaves the worker: the handler begins again after it, with its runs done. */
  sleep(name: string, ms: number): Promise<void>;
  /** Tells how far it is, 0–100. */
  progress(percent: number, text?: string): void;
  /** Gives a result early, to who waits for one; the first one counts. */
  respond(value: unknown): void;
  readonly log: Readonly<Record<'debug' | 'info' | 'warn' | 'error', (text: string) => void>>;
}

/** A handler: what it returns, which must be JSON, is the job's result; what it throws ends the attempt. */
// As a method, so that a handler may say what input it expects: whoever publishes its jobs has to agree with it.
export type Handler = { handle(job: HandlerJob, context: HandlerContext): unknown }['handle'];

/** Thrown by a handler: the job has failed, whatever attempts are left. */
export class NonRetryableError extends Error {
  override readonly name = 'NonRetryableError';
}

/** Thrown by a handler: the next attempt, if one is left, begins after `ms`. */
export class RetryAfterError extends Error {
  override readonly name = 'RetryAfterError';
  readonly ms: number;

  constructor(ms: number, message = `try again in ${ms} ms`) {
    super(message);
    this.ms = ms;
  }
}

/**
 * When to stop waiting: a deadline, a signal, or both, as one object that every wait of an operation races against.
 * The calls of the transport can't be cancelled, so what was waited for goes on; its owner cleans up behind it.
 *
 *   1. `wait` never leaves a rejection unhandled, whichever side loses the race.
 *   2. After `settle` neither the timer nor the listener exists any more.
 */
import { mvmError, type MvmError } from '@mvm-ci/protocol';

import type { Clock, Timer } from './clock.ts';

export interface GiveUpOptions {
  readonly clock: Pick<Clock, 'after'>;
  /** `Infinity` for none. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
  /** What is waited for, for the message: "the response of GET /queue/stats". */
  readonly what: string;
}

export class GiveUp {
  readonly #options: GiveUpOptions;
  readonly #failed = Promise.withResolvers<never>();
  readonly #onAbort: () => void;
  #timer: Timer | undefined;
  #error: MvmError | undefined;

  constructor(options: GiveUpOptions) {
    this.#options = options;
    this.#failed.promise.catch(() => undefined);
    this.#onAbort = (): void => this.fail(cancelled(options));
    this.restart(options.deadlineMs);
    if (options.signal?.aborted) this.#onAbort();
    else options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Set once the deadline passed (DEADLINE_EXCEEDED) or the signal fired (CANCELLED). */
  get error(): MvmError | undefined {
    return this.#error;
  }

  /** The result of `work`, or the error of the deadline or signal, whichever comes first. */
  async wait<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined);
    return Promise.race([work, this.#failed.promise]);
  }

  /** Starts the deadline anew: for waits that follow one another, such as the pieces of a body. */
  restart(deadlineMs: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (deadlineMs === Infinity) return;
    this.#timer = this.#options.clock.after(deadlineMs, () => this.fail(exceeded(this.#options.what, deadlineMs)));
  }

  /** Stops the deadline, keeps the signal. */
  pause(): void {
    this.restart(Infinity);
  }

  /** Ends it: timer and listener are gone. Idempotent. */
  settle(): void {
    this.pause();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
  }

  /** Gives up now, for a reason of the owner. Idempotent: the first reason stays. */
  fail(error: MvmError): void {
    if (this.#error) return;
    this.#error = error;
    this.settle();
    this.#failed.reject(error);
  }
}

const exceeded = (what: string, deadlineMs: number): MvmError =>
  mvmError('DEADLINE_EXCEEDED', `waited ${deadlineMs} ms for ${what}`, { deadlineMs });

const cancelled = ({ what, signal }: GiveUpOptions): MvmError =>
  mvmError('CANCELLED', `${what} was cancelled by its caller`, undefined, { cause: signal?.reason });

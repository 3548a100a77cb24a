/** A timer that was started; `cancel` is idempotent and legal after it fired. */
export interface Timer {
  cancel(): void;
}

/** Time as a port (I9): core code is given a clock, and tests give it one that stands still. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. For what is compared with a date, or written down. */
  wallMs(): number;
  /** Milliseconds that never go back, from an arbitrary start. For durations and deadlines. */
  monotonicMs(): number;
  /** Calls `callback` once, after at least `delayMs` (or 2^31 - 1, whichever is less). */
  after(delayMs: number, callback: () => void): Timer;
}

/** Resolves after `ms`, or as soon as `signal` fires; never rejects. */
export const pause = async (clock: Pick<Clock, 'after'>, ms: number, signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(ms, resolve);
  const abort = (): void => resolve();
  signal.addEventListener('abort', abort, { once: true });
  await promise;
  signal.removeEventListener('abort', abort);
  timer.cancel();
};

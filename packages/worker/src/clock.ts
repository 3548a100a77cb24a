/** A timer that was started; `cancel` is idempotent. */
export interface Timer {
  cancel(): void;
}

/** Time as a worker needs it (I9); the clock of `@mvm-ci/net` is one. */
export interface Clock {
  /** Milliseconds that never go back: leases are measured with it. */
  monotonicMs(): number;
  /** Calls `callback` once, after at least `delayMs`. */
  after(delayMs: number, callback: () => void): Timer;
}

/** Resolves after `ms`, or as soon as `signal` fires; never rejects. */
export const pause = async (clock: Clock, ms: number, signal: AbortSignal): Promise<void> => {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.after(ms, resolve);
  const abort = (): void => resolve();
  signal.addEventListener('abort', abort, { once: true });
  await promise;
  signal.removeEventListener('abort', abort);
  timer.cancel();
};

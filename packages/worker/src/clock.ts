import type { Clock as BaseClock } from '@mvm-ci/protocol';

export type { Timer } from '@mvm-ci/protocol';

/** Time as a worker needs it: leases are measured in durations, never in dates. */
export type Clock = Pick<BaseClock, 'monotonicMs' | 'after'>;

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

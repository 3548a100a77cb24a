import type { Clock } from '@mvm-ci/protocol';

const delayMsMax = 2 ** 31 - 1;

/** The process's own clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), delayMsMax));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

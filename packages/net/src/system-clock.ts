/** The real clock: the only file of this package that touches the timers and the time of the process (I9). */
import type { Clock } from './clock.ts';

const DELAY_MS_MAX = 2 ** 31 - 1;

/** The process's own time. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(delayMs, DELAY_MS_MAX));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
};

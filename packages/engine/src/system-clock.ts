/** The real clock: the only file of the main side that touches the time of the process (I9). */
import type { Clock } from '@mvm-ci/protocol';

const delayMsMax = 2 ** 31 - 1;

/** The process's own time. Its timers keep the process alive: a run in progress is work. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, Math.min(delayMs, delayMsMax));
    return { cancel: () => clearTimeout(timer) };
  },
};

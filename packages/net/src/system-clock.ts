/** The real clock: the only file of this package that touches the timers and the time of the process (I9). */
import type { Clock, Timer } from './clock.ts';

const DELAY_MS_MAX = 2 ** 31 - 1;
/** A timer that is later than this was held up by a blocked event loop, not by the system. */
const LATE_MS = 20;

/**
 * Node runs the timers that came due while the event loop was blocked before the answers that arrived meanwhile. So
 * that a deadline is not missed by an answer that is here already, a late timer waits once more for as long as the loop
 * stood still, and every timer lets one turn pass.
 */
const startTimer = (delayMs: number, callback: () => void): Timer => {
  let immediate: NodeJS.Immediate | undefined;
  const due = (): void => {
    immediate = setImmediate(callback);
  };
  const first = Math.min(delayMs, DELAY_MS_MAX);
  const dueMs = performance.now() + first;
  const onFirst = (): void => {
    const lateMs = performance.now() - dueMs;
    if (lateMs <= LATE_MS) return due();
    timer = setTimeout(due, Math.min(lateMs, first));
    timer.unref();
  };
  let timer = setTimeout(onFirst, first);
  timer.unref();
  return {
    cancel: () => {
      clearTimeout(timer);
      clearImmediate(immediate);
    },
  };
};

/** The process's own time. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: startTimer,
  nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
};

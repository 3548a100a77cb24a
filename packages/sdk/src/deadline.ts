import type { Abortable } from './call.ts';
import { machine } from './machine.ts';

/** A time limit on something that waits, together with a signal of its caller. */
export interface Deadline {
  /** Aborts when the time is over or the caller's signal does; undefined when neither was given. */
  readonly signal: Abortable | undefined;
  /** Whether the time was over first. */
  readonly isOver: boolean;
  /** Takes the limit back. */
  lift(): void;
}

/** A limit of `timeoutMs`, as a durable timer that is abandoned when the limit is lifted. */
export const deadlineOf = (timeoutMs: number | undefined, signal: Abortable | undefined): Deadline => {
  if (timeoutMs === undefined) return { signal, isOver: false, lift: () => undefined };
  if (!Number.isFinite(timeoutMs) || timeoutMs < 0)
    throw new TypeError(`a timeout has milliseconds, at least 0: received ${timeoutMs}`);
  const controller = new AbortController();
  let isOver = false;
  const pass = (): void => controller.abort(signal?.reason);
  if (signal?.aborted === true) pass();
  signal?.addEventListener('abort', pass);
  const timer = machine.open({ type: 'sleep', ms: timeoutMs }, () => {
    isOver = !controller.signal.aborted;
    controller.abort();
  });
  return {
    signal: controller.signal,
    get isOver() {
      return isOver;
    },
    lift: () => {
      signal?.removeEventListener('abort', pass);
      machine.abandon(timer);
    },
  };
};

/**
 * `setTimeout` and `setInterval` as durable sleeps. A timer is one call; clearing it abandons the call. What a callback
 * throws is logged as an error: nobody waits for it.
 */
import type { Effect, LogLevel } from '../intent.ts';
import type { Settle } from '../step-machine.ts';
import { inspect } from './inspect.ts';

/** The machine's part that timers need. */
export interface TimerHost {
  open(effect: Effect, settle: Settle): number;
  abandon(call: number): void;
  note(intent: { readonly type: 'log'; readonly level: LogLevel; readonly text: string }): void;
}

type Callback = (...values: readonly unknown[]) => unknown;

/** The timer functions of the HTML standard, section 8.7. */
export interface Timers {
  readonly setTimeout: (callback: Callback, ms?: number, ...values: readonly unknown[]) => number;
  readonly setInterval: (callback: Callback, ms?: number, ...values: readonly unknown[]) => number;
  readonly clearTimeout: (timer?: unknown) => void;
  readonly clearInterval: (timer?: unknown) => void;
}

interface Timer {
  readonly run: () => unknown;
  readonly ms: number;
  readonly repeats: boolean;
  call: number;
}

/** Timers on `host`'s sleeps. */
export const makeTimers = (host: TimerHost): Timers => {
  const timers = new Map<number, Timer>();
  let lastId = 0;
  const arm = (id: number, timer: Timer): void => {
    // The callback is a job of its own, as the runtime's: what the answers before it resolved goes first.
    timer.call = host.open({ type: 'sleep', ms: timer.ms }, () => void Promise.resolve().then(() => fire(id)));
  };
  const fire = (id: number): void => {
    const timer = timers.get(id);
    if (!timer) return;
    if (timer.repeats) arm(id, timer);
    else timers.delete(id);
    void runLogged(timer.run, host);
  };
  const set =
    (repeats: boolean) =>
    (callback: Callback, ms: number = 0, ...values: readonly unknown[]): number => {
      if (typeof callback !== 'function') throw new TypeError(`a timer takes a function: received ${typeof callback}`);
      lastId += 1;
      const timer: Timer = { run: () => callback(...values), ms: delayOf(ms), repeats, call: 0 };
      timers.set(lastId, timer);
      arm(lastId, timer);
      return lastId;
    };
  const clear = (id?: unknown): void => {
    const timer = timers.get(Number(id));
    timers.delete(Number(id));
    if (timer) host.abandon(timer.call);
  };
  return { setTimeout: set(false), setInterval: set(true), clearTimeout: clear, clearInterval: clear };
};

const delayOf = (ms: unknown): number => {
  const delay = Number(ms);
  return Number.isFinite(delay) && delay > 0 ? delay : 0;
};

const runLogged = async (run: () => unknown, host: TimerHost): Promise<void> => {
  try {
    await run();
  } catch (error) {
    host.note({ type: 'log', level: 'error', text: `Uncaught in a timer: ${inspect(error)}` });
  }
};

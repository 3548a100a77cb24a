/** The functions that a workflow has beside the usual globals. */
import { call, type Abortable } from './call.ts';
import type { LogLevel } from './intent.ts';
import { limits } from './limits.ts';
import { machine } from './machine.ts';
import { format } from './prelude/inspect.ts';
import type { JobFacts } from './step-machine.ts';

/** Options of {@link sleep}. */
export interface SleepOptions {
  /** Ends the sleep early: it rejects with the signal's reason. */
  readonly signal?: Abortable;
}

/**
 * Waits, durably: a workflow that sleeps for a month holds no machine for a month.
 *
 * @param ms - how long, from the time of this activation; not negative.
 * @throws {TypeError} when `ms` isn't a finite number of at least 0.
 * @throws the reason of `signal` when that aborts first.
 * @example await sleep(24 * 60 * 60 * 1000);
 */
export const sleep = async (ms: number, { signal }: SleepOptions = {}): Promise<void> => {
  if (!Number.isFinite(ms) || ms < 0) throw new TypeError(`sleep takes milliseconds, at least 0: received ${ms}`);
  await call({ type: 'sleep', ms }, signal);
};

/**
 * Waits until a point in time, durably; not at all when it has passed.
 *
 * @param time - a `Date`, or Unix time in ms.
 * @throws {TypeError} when `time` isn't one.
 * @throws the reason of `signal` when that aborts first.
 * @example await sleepUntil(new Date('2027-01-01T09:00:00Z'));
 */
export const sleepUntil = (time: Date | number, options: SleepOptions = {}): Promise<void> =>
  sleep(Math.max(0, Number(time) - now()), options);

/**
 * Gives whoever waits for it (`waitForResponse` of the client) a value while the workflow goes on. The first one counts.
 *
 * @param value - any JSON value, at most 1 MiB.
 * @throws {TypeError} for what is no JSON value.
 * @throws {EffectError} `LIMIT_EXCEEDED` for one that is too large.
 * @example respond({ accepted: order.id });
 */
export const respond = (value: unknown): void => {
  machine.note({ type: 'respond', value: value ?? null });
};

/**
 * Whether this attempt runs the code that knows `change`: true in every attempt that begins with this code, false in one that began before
 * the change and has passed this point already. So old jobs go on as they began.
 *
 * @param change - its name: never use one again for another change.
 * @example if (await version('two-step-payment')) await payInTwoSteps(); else await pay();
 */
export const version = (change: string): Promise<boolean> => machine.version(change);

/** A random UUID (version 4) from the attempt's seed: a replay gets the same. */
export const uuid = (): string => crypto.randomUUID();

/** A random number of at least 0 and less than 1 from the attempt's seed, as `Math.random()`. */
export const random = (): number => Math.random();

/**
 * Says how far the job is; `mvm-ci status` and the dashboard show it.
 *
 * @param percent - 0 to 100; what is outside is moved to the nearer end.
 * @param text - a note, cut at 1,000 characters.
 * @throws {TypeError} when `percent` is not a number.
 */
export const progress = (percent: number, text = ''): void => {
  if (typeof percent !== 'number' || Number.isNaN(percent)) {
    throw new TypeError(`progress takes a percentage from 0 to 100: received ${String(percent)}`);
  }
  const bounded = Math.min(100, Math.max(0, percent));
  machine.note({ type: 'progress', percent: bounded, text: text.slice(0, limits.progressCharsMax) });
};

/** Lines for the job's log; values are written as `console.log` would. */
export type Log = { readonly [level in LogLevel]: (...values: readonly unknown[]) => void };

const logAt =
  (level: LogLevel) =>
  (...values: readonly unknown[]): void => {
    machine.note({ type: 'log', level, text: format(values).slice(0, limits.logCharsMax) });
  };

/** The job's log, by level. `console` writes to it too. */
export const log: Log = { debug: logAt('debug'), info: logAt('info'), warn: logAt('warn'), error: logAt('error') };

/**
 * The job that runs: its id and the number of this attempt.
 *
 * @throws {TypeError} while the module is being loaded: there is no job yet.
 */
export const job = (): JobFacts => {
  if (machine.job) return machine.job;
  throw new TypeError('job() was called while the module was loaded: call it inside a workflow');
};

/** Unix time in ms, as `Date.now()`: the time of the last answer that arrived. It stands still between two awaits. */
export const now = (): number => machine.now;

/**
 * Globals of Node that packages of pure JavaScript use: `process`, `setImmediate`. They are bundled only for sources that speak of them. There is
 * nothing behind them: the environment is empty, and what is to be done later is a promise job, so none of it is in the journal.
 */
import { log } from './author.ts';
import { define } from './prelude/prelude.ts';

type Callback = (...values: readonly unknown[]) => unknown;

const later = (callback: Callback, ...values: readonly unknown[]): void => {
  queueMicrotask(() => {
    callback(...values);
  });
};

const nothing = (): void => undefined;

const hrtime = (since: readonly [number, number] = [0, 0]): readonly [number, number] => {
  const ms = performance.now() - since[0] * 1_000 - since[1] / 1e6;
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
};

/** As much of Node's `process` as code reads that runs in a browser too. */
export const process: Readonly<Record<string, unknown>> & { readonly env: Record<string, string> } = {
  title: 'workflow',
  browser: true,
  platform: 'browser',
  env: {},
  argv: [],
  execArgv: [],
  version: '',
  versions: {},
  nextTick: later,
  cwd: () => '/',
  umask: () => 0,
  uptime: () => performance.now() / 1_000,
  hrtime: Object.assign(hrtime, { bigint: () => BigInt(Math.round(performance.now() * 1e6)) }),
  emitWarning: (warning: unknown) => log.warn(String(warning)),
  on: nothing,
  once: nothing,
  off: nothing,
  addListener: nothing,
  removeListener: nothing,
  emit: () => false,
};

const cleared = new Set<unknown>();
let lastImmediate = 0;

define(globalThis, {
  process,
  setImmediate: (callback: Callback, ...values: readonly unknown[]) => {
    lastImmediate += 1;
    const immediate = lastImmediate;
    later(() => {
      if (!cleared.delete(immediate)) callback(...values);
    });
    return immediate;
  },
  clearImmediate: (immediate: unknown) => void cleared.add(immediate),
});

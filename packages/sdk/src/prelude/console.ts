import type { LogLevel } from '../intent.ts';
import { format, inspect } from './inspect.ts';

/** Takes one line of the log. */
export type WriteLine = (level: LogLevel, text: string) => void;

/** A method of the console. */
type Method = (...values: readonly unknown[]) => void;

/**
 * A console that writes lines to the job's log. `time` and `timeEnd` measure the time that the workflow sees, which
 * only moves when an answer arrives.
 */
export const makeConsole = (write: WriteLine, now: () => number): Readonly<Record<string, Method>> => {
  const counts = new Map<string, number>();
  const timers = new Map<string, number>();
  let indent = '';
  const at =
    (level: LogLevel): Method =>
    (...values) =>
      write(level, indent + format(values));
  const elapsed: Method = (label = 'default') => {
    const started = timers.get(String(label));
    if (started !== undefined) write('info', `${indent}${String(label)}: ${now() - started}ms`);
  };
  const methods: Record<string, Method> = {
    log: at('info'),
    info: at('info'),
    debug: at('debug'),
    warn: at('warn'),
    error: at('error'),
    trace: at('debug'),
    table: at('info'),
    dir: (value) => write('info', indent + inspect(value)),
    assert: (condition, ...values) => {
      if (!condition) write('error', `${indent}Assertion failed${values.length > 0 ? `: ${format(values)}` : ''}`);
    },
    count: (label = 'default') => {
      const count = (counts.get(String(label)) ?? 0) + 1;
      counts.set(String(label), count);
      write('info', `${indent}${String(label)}: ${count}`);
    },
    countReset: (label = 'default') => void counts.delete(String(label)),
    time: (label = 'default') => void timers.set(String(label), now()),
    timeLog: elapsed,
    timeEnd: (label = 'default') => {
      elapsed(label);
      timers.delete(String(label));
    },
    group: (...values) => {
      if (values.length > 0) write('info', indent + format(values));
      indent += '  ';
    },
    groupEnd: () => {
      indent = indent.slice(2);
    },
  };
  return methods;
};

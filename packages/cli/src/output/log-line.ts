import type { LogLine } from '@mvm-ci/client';
import { timeText } from './job-view.ts';
import type { Paint } from './terminal.ts';

/** A line of a job's log: time, level, text. */
export const lineText = ({ at, level, text }: Omit<LogLine, 'seq'>, paint: Paint): string =>
  `${paint.dim(timeText(at))}  ${levelText(level, paint)}  ${text}`;

const levelText = (level: LogLine['level'], paint: Paint): string => {
  const padded = level.padEnd(5);
  if (level === 'error') return paint.red(padded);
  return level === 'warn' ? paint.yellow(padded) : paint.green(padded);
};

import type { JobOptions } from '@mvm-ci/protocol';

/** When a job may run that is published, or released by the jobs that it waited for, at `at`. */
export const runAtOf = ({ delay_ms: delayMs = 0, run_at_ms: runAt, unique }: JobOptions, at: number): number => {
  const wanted = Math.max(runAt ?? at + delayMs, at);
  return unique?.policy === 'debounce' ? Math.max(wanted, at + (unique.window_ms ?? 0)) : wanted;
};

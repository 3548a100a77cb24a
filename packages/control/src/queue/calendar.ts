/** When a schedule's times are: cron expressions in a time zone. */
import { mvmError, type ScheduleSpec } from '@mvm-ci/protocol';
import { Cron } from 'croner';

/** The times of one schedule. Times are Unix ms. */
export interface Calendar {
  /** The first time after `at`; null: there is none. */
  after(at: number): number | null;
}

/**
 * The calendar of a schedule. Around a change of the clocks a time of day happens once: one that is left out comes at
 * the first moment after the gap, one that comes twice the first time.
 *
 * @throws INVALID_ARGUMENT when the expression or the time zone means nothing, or the expression has no time at all
 */
export const calendar = ({ cron, time_zone: timeZone = 'UTC' }: ScheduleSpec): Calendar => {
  try {
    const times = new Cron(cron, { timezone: timeZone, mode: '5-or-6-parts', paused: true });
    const after = (at: number): number | null => times.nextRun(new Date(at))?.getTime() ?? null;
    // The time zone is looked at only when a time is computed.
    after(0);
    return { after };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('INVALID_ARGUMENT', `the schedule "${cron}" in "${timeZone}" can't be read: ${reason}`, {
      cron,
      time_zone: timeZone,
    });
  }
};

/** The times from `from` on and before `to`, at most `count`. */
export const timesBetween = (
  times: Calendar,
  { from, to, count }: { readonly from: number; readonly to: number; readonly count: number },
): readonly number[] => {
  const found: number[] = [];
  for (let at = times.after(from - 1); at !== null && at < to && found.length < count; at = times.after(at))
    found.push(at);
  return found;
};

/** The latest of the times from `from` on and before `to`, at most `count`, oldest first. */
export const latestTimes = (
  times: Calendar,
  { from, to, count }: { readonly from: number; readonly to: number; readonly count: number },
): readonly number[] => {
  // A calendar only looks forward: so it begins further and further back.
  for (let backMs = firstLookMs; ; backMs *= 4) {
    const found = timesBetween(times, { from: Math.max(from, to - backMs), to, count: Infinity });
    if (found.length >= count || to - backMs <= from) return found.slice(-count);
  }
};

const firstLookMs = 60_000;

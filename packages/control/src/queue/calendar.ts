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
 * the first moment after the gap, one that comes twice the first time. Where the hours are `*`, it is no time of day: each hour
 * that passes counts.
 *
 * @throws INVALID_ARGUMENT when the expression or the time zone means nothing, or the expression has no time at all
 */
export const calendar = ({ cron, time_zone: timeZone = 'UTC' }: ScheduleSpec): Calendar => {
  try {
    const times = isOfEachHour(cron) ? moments(cron, timeZone) : timesOfDay(cron, timeZone);
    // The time zone is looked at only when a time is computed.
    times.after(0);
    return times;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('INVALID_ARGUMENT', `the schedule "${cron}" in "${timeZone}" can't be read: ${reason}`, {
      cron,
      time_zone: timeZone,
    });
  }
};

const isOfEachHour = (cron: string): boolean => {
  const hours = cron.trim().split(/\s+/).at(-4);
  return cron.trim().toLowerCase() === '@hourly' || ['*', '?', '*/1'].includes(hours ?? '');
};

/** Each moment at which the clocks of a zone show a time that fits. */
const moments = (cron: string, timeZone: string): Calendar => {
  const times = new Cron(cron, { timezone: timeZone, mode: '5-or-6-parts', paused: true });
  return { after: (at) => times.nextRun(new Date(at))?.getTime() ?? null };
};

/** Each time of day that fits, once. What clocks show is computed with as if it were UTC, which knows no change. */
const timesOfDay = (cron: string, timeZone: string): Calendar => {
  const shown = moments(cron, 'UTC');
  const after = (at: number): number | null => {
    // A time that the clocks show again comes to a moment that has passed.
    for (let time = shown.after(shownAt(at, timeZone)); time !== null; time = shown.after(time)) {
      const moment = momentOf(time, timeZone);
      if (moment > at) return moment;
    }
    return null;
  };
  return { after };
};

/** What the clocks of a zone show at `at`. */
const shownAt = (at: number, timeZone: string): number =>
  at + Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(timeZone).offsetNanoseconds / 1e6;

/** When the clocks of a zone show a time first, or the end of the gap that it is in. */
const momentOf = (shown: number, timeZone: string): number => {
  const time = Temporal.Instant.fromEpochMilliseconds(shown).toZonedDateTimeISO('UTC').toPlainDateTime();
  const moment = time.toZonedDateTime(timeZone, { disambiguation: 'earlier' });
  if (moment.toPlainDateTime().equals(time)) return moment.epochMilliseconds;
  return moment.getTimeZoneTransition('next')?.epochMilliseconds ?? moment.epochMilliseconds;
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

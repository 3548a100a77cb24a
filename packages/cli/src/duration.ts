import { InvalidArgumentError } from 'commander';

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration such as `90s` in ms; undefined when it is none. */
export const timeMs = (text: string): number | undefined => {
  const [, amount = '', unit = ''] = /^(\d{1,12})([smhd])$/.exec(text.trim().toLowerCase()) ?? [];
  const each = unitMs[unit];
  return each === undefined ? undefined : Number(amount) * each;
};

/** The same, where a number without a unit is seconds. */
export const timeOrSecondsMs = (text: string): number | undefined =>
  /^\d{1,12}$/.test(text.trim()) ? Number(text) * 1_000 : timeMs(text);

/**
 * Reads an option as a duration in ms: a whole number and one of the units s, m, h, d, such as `90s`, `15m`, `24h` or `7d`;
 * anything else is a usage error.
 */
export const duration =
  (maxMs: number, readMs: typeof timeMs = timeMs): ((text: string) => number) =>
  (text) => {
    const ms = readMs(text);
    if (ms !== undefined && ms > 0 && ms <= maxMs) return ms;
    const rule = 'a whole number above 0 with its unit, such as 90s, 15m, 24h or 7d';
    const days = Math.floor(maxMs / 86_400_000);
    throw new InvalidArgumentError(`it must be ${rule}, at most ${days}d, received "${text}".`);
  };

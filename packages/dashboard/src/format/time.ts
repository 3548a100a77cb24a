/** Times and durations for people. */

const units: readonly (readonly [name: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
];

/** A duration in its two largest units, such as `2 min 5 s`; below ten seconds with a fraction, below one in ms. */
export const durationText = (ms: number): string => {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10_000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const first = units.findIndex(([, size]) => ms >= size);
  const [name = 's', size = 1_000] = units[first] ?? [];
  const rest = ms % size;
  const [nextName = '', nextSize = 1] = units[first + 1] ?? [];
  const next = nextName === '' ? 0 : Math.floor(rest / nextSize);
  return next === 0 ? `${Math.floor(ms / size)} ${name}` : `${Math.floor(ms / size)} ${name} ${next} ${nextName}`;
};

/** How long ago, or until when. */
export const agoText = (atMs: number, nowMs: number): string =>
  atMs > nowMs + 1_000 ? `in ${durationText(atMs - nowMs)}` : `${durationText(Math.max(0, nowMs - atMs))} ago`;

/** A time in the reader's own zone, with seconds. */
export const timeText = (atMs: number): string =>
  new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' }).format(atMs);

/** An exact time, the same everywhere. */
export const exactTime = (atMs: number): string => new Date(atMs).toISOString();

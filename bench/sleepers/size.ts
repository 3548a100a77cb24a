import type { Load } from '../load.ts';

/** How much the sleepers bench does. */
export interface SleepersSize {
  /** Jobs that sleep when the server is looked at first. */
  readonly few: number;
  /** Jobs that sleep when it is looked at again. */
  readonly many: number;
  /** Jobs that were to wake while nobody was there. */
  readonly due: number;
  /** Jobs whose waking is timed. */
  readonly probes: number;
}

/** The sizes of each load. */
export const sleepersSizes: Readonly<Record<Load, SleepersSize>> = {
  smallest: { few: 100, many: 1_000, due: 10, probes: 3 },
  quick: { few: 1_000, many: 100_000, due: 200, probes: 50 },
  full: { few: 1_000, many: 1_000_000, due: 200, probes: 50 },
};

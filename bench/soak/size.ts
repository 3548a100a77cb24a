import type { Load } from '../load.ts';

/** How long the soak lasts, and what it demands. */
export interface SoakSize {
  readonly ms: number;
  /** Jobs that are in the system at the same time. */
  readonly lanes: number;
  /** Fewer jobs than this a minute are no full load: the run fails. */
  readonly jobsPerMinuteMin: number;
}

/** The sizes of each load. */
export const soakSizes: Readonly<Record<Load, SoakSize>> = {
  smallest: { ms: 3_000, lanes: 8, jobsPerMinuteMin: 60 },
  quick: { ms: 45_000, lanes: 64, jobsPerMinuteMin: 1_200 },
  full: { ms: 3_600_000, lanes: 64, jobsPerMinuteMin: 1_200 },
};

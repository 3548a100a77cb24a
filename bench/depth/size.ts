import type { Load } from '../load.ts';

/** How full the store gets, and how much is measured before and after. */
export interface DepthSize {
  readonly syncMs: number;
  readonly finished: number;
  readonly pending: number;
  /** Jobs that are published, and jobs that a worker completes, for each figure. */
  readonly measured: number;
}

/** The sizes of each load. */
export const depthSizes: Readonly<Record<Load, DepthSize>> = {
  smallest: { syncMs: 50, finished: 2_000, pending: 1_000, measured: 8_000 },
  quick: { syncMs: 500, finished: 150_000, pending: 50_000, measured: 20_000 },
  full: { syncMs: 1_000, finished: 10_000_000, pending: 1_000_000, measured: 50_000 },
};

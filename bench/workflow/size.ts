import type { Load } from '../load.ts';

/** How much the workflow bench does. */
export interface WorkflowSize {
  /** Time for the disk alone. */
  readonly syncMs: number;
  /** Longest time for each figure: a slow machine does fewer, and the bench ends all the same. */
  readonly figureMsMax: number;
  /** Executions of the `core` guest. */
  readonly core: number;
  /** Executions of the TypeScript guest. */
  readonly script: number;
  /** Executions one after the other. */
  readonly idle: number;
  /** Executions one after the other in a cluster. */
  readonly cluster: number;
}

/** The sizes of each load. */
export const workflowSizes: Readonly<Record<Load, WorkflowSize>> = {
  smallest: { syncMs: 50, figureMsMax: 10_000, core: 20, script: 20, idle: 5, cluster: 5 },
  quick: { syncMs: 1_000, figureMsMax: 5_000, core: 5_000, script: 3_000, idle: 500, cluster: 200 },
  full: { syncMs: 5_000, figureMsMax: 20_000, core: 50_000, script: 30_000, idle: 5_000, cluster: 2_000 },
};

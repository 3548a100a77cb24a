import type { Load } from '../load.ts';

/** Callers at a time of the figures with many. */
export const callers = 64;

/** How much is done with each system. */
export interface CompareSize {
  /** Time for the disk alone. */
  readonly syncMs: number;
  /** Longest time for each figure but the drain. */
  readonly figureMsMax: number;
  /** Jobs through the system before any figure: all ends have compiled their code then. */
  readonly warmUp: number;
  /** Jobs published by one caller. */
  readonly publish1: number;
  /** Jobs published by 64 callers. */
  readonly publish64: number;
  /** Jobs published 1,000 at a time. */
  readonly publishBulk: number;
  /** Jobs that one worker process drains. */
  readonly drain: number;
  /** Jobs whose way to an idle worker is timed. */
  readonly pickUps: number;
}

/** The sizes of each load. */
export const compareSizes: Readonly<Record<Load, CompareSize>> = {
  smallest: {
    syncMs: 50,
    figureMsMax: 5_000,
    warmUp: 20,
    publish1: 5,
    publish64: 64,
    publishBulk: 200,
    drain: 200,
    pickUps: 5,
  },
  quick: {
    syncMs: 1_000,
    figureMsMax: 3_000,
    warmUp: 2_000,
    publish1: 1_000,
    publish64: 5_000,
    publishBulk: 20_000,
    drain: 20_000,
    pickUps: 100,
  },
  full: {
    syncMs: 5_000,
    figureMsMax: 15_000,
    warmUp: 10_000,
    publish1: 10_000,
    publish64: 50_000,
    publishBulk: 100_000,
    drain: 100_000,
    pickUps: 1_000,
  },
};

import type { Load } from '../load.ts';

/** How much the queue bench does. */
export interface QueueSize {
  /** Time for the disk alone. */
  readonly syncMs: number;
  /** Longest time for each figure: a slow machine does fewer jobs, and the bench ends all the same. */
  readonly figureMsMax: number;
  /** Jobs through the store alone, in batches of 100. */
  readonly storeJobs: number;
  /** Jobs of each cycle with batches of 1. */
  readonly singles: number;
  /** Jobs of each cycle with batches of 100. */
  readonly batched: number;
  /** Jobs published one by one, one after the other. */
  readonly publish1: number;
  /** Jobs published one by one, 64 requests at a time. */
  readonly publish64: number;
  /** Jobs published 1,000 at a time. */
  readonly publishBulk: number;
  /** Jobs that worker processes drain. */
  readonly drain: number;
  /** Jobs that plain handlers drain. */
  readonly handlerDrain: number;
  /** Jobs whose way to an idle worker is timed. */
  readonly pickUps: number;
}

/** The sizes of each load. */
export const queueSizes: Readonly<Record<Load, QueueSize>> = {
  smallest: {
    syncMs: 50,
    figureMsMax: 10_000,
    storeJobs: 200,
    singles: 20,
    batched: 200,
    publish1: 5,
    publish64: 64,
    publishBulk: 100,
    drain: 50,
    handlerDrain: 200,
    pickUps: 5,
  },
  quick: {
    syncMs: 1_000,
    figureMsMax: 3_000,
    storeJobs: 50_000,
    singles: 3_000,
    batched: 20_000,
    publish1: 1_000,
    publish64: 5_000,
    publishBulk: 20_000,
    drain: 2_000,
    handlerDrain: 20_000,
    pickUps: 100,
  },
  full: {
    syncMs: 5_000,
    figureMsMax: 15_000,
    storeJobs: 300_000,
    singles: 30_000,
    batched: 200_000,
    publish1: 10_000,
    publish64: 50_000,
    publishBulk: 100_000,
    drain: 10_000,
    handlerDrain: 100_000,
    pickUps: 1_000,
  },
};

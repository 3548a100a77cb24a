import type { Load } from '../load.ts';

/** How much the peers bench does. */
export interface PeersSize {
  /** Simulated workers that are connected at the same time. */
  readonly crowd: number;
  /** Processes that they share. */
  readonly crowdProcesses: number;
  /** How long the crowd stands idle while the control plane's processor time is read. */
  readonly idleMs: number;
  /** Longest time for each rate. */
  readonly figureMsMax: number;
  /** Frames through one stream of the transport alone. */
  readonly frames: number;
  /** Claims whose round trip is timed. */
  readonly claims: number;
  /** Jobs claimed and completed one by one. */
  readonly singles: number;
  /** Jobs claimed and completed 100 at a time. */
  readonly batched: number;
  /** Jobs that the crowd drains. */
  readonly crowdJobs: number;
  readonly moduleBytes: number;
  /** Workers killed for each lease setting. */
  readonly kills: number;
}

/** The sizes of each load. */
export const peersSizes: Readonly<Record<Load, PeersSize>> = {
  smallest: {
    crowd: 4,
    crowdProcesses: 2,
    idleMs: 200,
    figureMsMax: 10_000,
    frames: 1_000,
    claims: 5,
    singles: 20,
    batched: 200,
    crowdJobs: 50,
    moduleBytes: 100_000,
    kills: 1,
  },
  quick: {
    crowd: 500,
    crowdProcesses: 2,
    idleMs: 3_000,
    figureMsMax: 3_000,
    frames: 40_000,
    claims: 200,
    singles: 5_000,
    batched: 30_000,
    crowdJobs: 5_000,
    moduleBytes: 10_485_760,
    kills: 2,
  },
  full: {
    crowd: 1_000,
    crowdProcesses: 4,
    idleMs: 20_000,
    figureMsMax: 15_000,
    frames: 400_000,
    claims: 2_000,
    singles: 50_000,
    batched: 300_000,
    crowdJobs: 30_000,
    moduleBytes: 10_485_760,
    kills: 10,
  },
};

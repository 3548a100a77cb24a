import type { Load } from '../load.ts';

/** How much the engine bench does. */
export interface EngineSize {
  /** Effects of the run that is replayed, and of the one that is not. */
  readonly effects: number;
  /** Entries of the journal that is resumed from disk; two for each effect. */
  readonly resumed: number;
  /** Starts, one after the other. */
  readonly starts: number;
  /** Modules that were never seen before. */
  readonly modules: number;
  /** Bytes of the module that is compiled. */
  readonly moduleBytes: number;
  /** Suspended guests. */
  readonly hot: number;
  /** How often each figure of a single run is taken; the best one counts. */
  readonly rounds: number;
  /** How often each program that is metered runs, with and without. */
  readonly meteredTurns: number;
}

/** The sizes of each load. */
export const engineSizes: Readonly<Record<Load, EngineSize>> = {
  smallest: {
    effects: 200,
    resumed: 2_000,
    starts: 20,
    modules: 2,
    moduleBytes: 65_536,
    hot: 50,
    rounds: 1,
    meteredTurns: 3,
  },
  quick: {
    effects: 50_000,
    resumed: 100_000,
    starts: 2_000,
    modules: 8,
    moduleBytes: 1_048_576,
    hot: 5_000,
    rounds: 3,
    meteredTurns: 200,
  },
  full: {
    effects: 200_000,
    resumed: 100_000,
    starts: 10_000,
    modules: 30,
    moduleBytes: 4_194_304,
    hot: 5_000,
    rounds: 7,
    meteredTurns: 1_000,
  },
};

/** What an engine is doing, and what it has done since it was opened. */
export interface EngineStats {
  /** Runs in progress. */
  readonly runs: number;
  /** Threads that are started. */
  readonly threads: number;
  /** Guests in memory; of these, those between two steps. */
  readonly guests: number;
  readonly restingGuests: number;
  /** Guests that were dropped from memory to make room, and those that were rebuilt to go on. */
  readonly evictions: number;
  readonly rebuilds: number;
  /** Units of fuel that guests have used, replays included. */
  readonly fuel: number;
  /** Runs that went on with a journal, the entries that these had, and the time until they were replayed. */
  readonly replays: number;
  readonly replayedEntries: number;
  readonly replaySeconds: number;
  /** Why no guest can be run here; undefined while all is well. */
  readonly fault: string | undefined;
}

/** An engine that tells how it does. */
export interface Measured {
  readonly stats: EngineStats;
}

/** What runs count. */
export type ReplayCounts = { -readonly [K in 'replays' | 'replayedEntries' | 'replaySeconds']: EngineStats[K] };

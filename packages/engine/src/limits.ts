/**
 * The engine's own limits (I8). Those with "default" in their comment can be set per engine by {@link EngineLimits}: all
 * engines that may run the same jobs must agree on them, since a guest can see where they lie.
 */

/** Bytes of an attempt's random seed. */
export const seedBytes = 32;

/** What one guest may use. */
export interface GuestLimits {
  /** Time of one step, and of evaluating a script: wall time, but for what a program waits for its turns. @default 5000 */
  readonly stepMsMax: number;
  /** After `stepMsMax`, how long a thread may stay silent before it is ended with all its guests. @default 1000 */
  readonly stepGraceMs: number;
  /** Linear memory of one guest, in bytes, a multiple of 65536. @default 67108864 */
  readonly memoryBytesMax: number;
  /** Stack of a script, in bytes. @default 1048576 */
  readonly stackBytesMax: number;
  /** What the code of one attempt may use, in units of fuel (docs/internals/fuel.md). @default 10000000000000 */
  readonly fuelMax: number;
}

/** The guest limits of an engine that names none. */
export const defaultGuestLimits: GuestLimits = {
  stepMsMax: 5_000,
  stepGraceMs: 1_000,
  memoryBytesMax: 67_108_864,
  stackBytesMax: 1_048_576,
  fuelMax: 10_000_000_000_000,
};

/** Limits that are the same everywhere. */
export const engineLimits = {
  /** Intents of one activation. */
  intentsMax: 10_000,
  /** The intents of one activation, encoded, in bytes: they must fit into one append. */
  intentsBytesMax: 12_582_912,
  /** Calls of one attempt that wait for their answers. */
  openCallsMax: 1_000,
  /** How often one step may ask for versions and be answered. */
  versionRoundsMax: 100,
  /** Message types that one receive names. */
  receiveTypesMax: 100,
  /** A log line, in characters. */
  logCharsMax: 16_384,
  /** Name, message or stack of an error that a guest reports, in characters. */
  errorTextCharsMax: 16_384,
  /** A request's method, in characters. */
  methodCharsMax: 32,
  /** A request's URL, in characters. */
  urlCharsMax: 16_384,
  /** Headers of a request. */
  headersMax: 256,
  /** One header's name and value, in characters. */
  headerCharsMax: 16_384,
  /** An author's own `Idempotency-Key`, in characters. */
  keyCharsMax: 512,
  /** Body of a request or of a response, in bytes. */
  bodyBytesMax: 8_388_608,
  /** Answers that wait for the end of a guest's step, together, in bytes. */
  waitingAnswersBytesMax: 67_108_864,
  /** Longest wait of a journal entry that nobody waits for; far below the 50 ms that an answer may take to be synced. */
  rideAlongMs: 5,
  /** Longest time of a request. */
  fetchMsMax: 3_600_000,
  /** Longest sleep: 10 years. */
  sleepMsMax: 315_360_000_000,
  /** Bytes of all files in the private file system of one `wasi` guest. */
  fileBytesMax: 33_554_432,
  /** Files and directories in it. */
  filesMax: 4_096,
  /** Descriptors that a `wasi` guest may have open. */
  openFilesMax: 256,
  /** A file's name, in bytes of UTF-8. */
  fileNameBytesMax: 255,
  /** A path, in characters. */
  pathCharsMax: 4_096,
  /** Buffers of one read or write. */
  ioVectorsMax: 1_024,
  /** Subscriptions of one `poll_oneoff`. */
  pollSubscriptionsMax: 512,
  /** Redirects that one request follows (the Fetch standard's number). */
  redirectsMax: 20,
  /** Instances of the script runtime that a thread keeps for the next guests. */
  idleInstancesMax: 64,
  /** Instances of one `core` module that a thread keeps for the next guests. */
  idleCoreInstancesMax: 64,
  /** The same in bytes of memory, together; one is kept in any case. */
  idleCoreBytesMax: 8_388_608,
  /** Memory of a `core` instance that is used again, at most: putting back a larger one takes longer than a new one. */
  pooledCoreBytesMax: 2_097_152,
  /** Entries since the last snapshot after which the next one is taken. */
  snapshotEntries: 1_000,
  /** One in so many snapshots is audited: the guest's steps are taken again from the first one, and the memories compared. */
  snapshotsPerAudit: 64,
  /** Entries since the last snapshot from which on a run that is given back leaves another one behind. */
  snapshotRestEntries: 64,
  /** Bytes of the journal since the last snapshot after which the next one is taken. */
  snapshotJournalBytes: 1_048_576,
  /** Log lines that a replay gives back, the last ones. */
  replayLogLinesMax: 10_000,
  /** Fuel of one query: about a second of a handler that never ends; the time of a step bounds it too. */
  queryFuelMax: 10_000_000_000,
  /** How often a replay begins again because its guest's thread was lost. */
  replayTriesMax: 3,
  /** From so many steps on that would have to be taken again, the state of a guest that is dropped from memory is kept. */
  keptStateStepsMin: 64,
  /**
   * Guests of all threads together that are kept in memory, of any kind: V8 takes several mappings for each, and the system
   * ends a process that has too many (about 14,000 guests).
   */
  residentMemoriesMax: 8_192,
  /**
   * Script guests that a thread keeps in memory, or 16 times as many `core` guests; the one that rested longest is dropped
   * and rebuilt when it is needed.
   */
  residentGuestsMax: 512,
  /**
   * Bytes of WebAssembly that are prepared on the engine's main thread, some 0.1 s; what is larger gets a thread of its own, whose start
   * takes longer than that.
   */
  preparedHereBytesMax: 2_097_152,
  /** Tables of a guest. */
  tablesMax: 16,
  /** Elements of one table of a guest: they lie in the host's memory, not in the guest's. */
  tableElementsMax: 100_000,
  /** Bytes of the module files that an engine keeps loaded. */
  moduleCacheBytesMax: 268_435_456,
  /** Native stack of a guest thread, in MiB: twice what the deepest permitted script was seen to need, before V8 optimizes it and after. */
  threadStackMib: 64,
  /** Fuel that a guest uses before the host looks whether it may go on: some milliseconds at most. */
  fuelSlice: 2_000_000,
  /** How long a program computes before the other guests of its thread take their turns, in ms of its own time. */
  turnMs: 10,
  /** How much of an intent a NONDETERMINISM message shows, in characters. */
  shownCharsMax: 300,
  /** Default of the runs at the same time in an engine that serves others. */
  servedRunsDefault: 256,
  /** Most of them that can be asked for. */
  servedRunsMax: 10_000,
  /** Replays at the same time in an engine that serves others, beside the runs. */
  servedReplaysMax: 16,
  /** Frames of a guest's stack that an error keeps. */
  stackFramesMax: 20,
  /** Steps, and about how many bytes of answers in them, that go to a guest thread in one message. */
  pieceStepsMax: 1_000,
  pieceBytesMax: 4_194_304,
  /**
   * How long a guest thread that has more to do holds answers back, to send them together: each message wakes the main thread,
   * and what came alone is committed alone. What they bring about can begin while the rest is worked off.
   */
  repliesHeldMs: 4,
  /** Lists of requests that a SQLite journal store has out at its thread: one being committed, one that waits. */
  journalListsMax: 2,
  /** Bytes of a stored journal that are read at once; a batch is never divided. */
  journalPieceBytes: 262_144,
  /** Attempts of which a SQLite journal store keeps in memory where their next entries go. */
  journalStandingsMax: 4_096,
  /** The end of a drain's grace, in which requests in flight may end, so that nobody has to ask whether they took effect. */
  handOverMsMax: 3_000,
  /** How long a drain waits for runs that are to be given back, before they are dropped. */
  giveBackMsMax: 5_000,
  /** How long dropped runs may take, before a drain or a stop goes on without them. */
  dropMsMax: 2_000,
} as const;

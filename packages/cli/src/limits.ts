/** Limits and times of the command line (I8). */
export const cliLimits = {
  /** How often is looked whether a worker has drained. */
  drainPollMs: 300,
  /** Jobs of one `publish --count`. */
  publishCountMax: 1_000_000,
  /** How long a command looks for the control plane that its ticket names. */
  joinMs: 15_000,
  /** Time for the answer of a request over the peer plane: longer than the longest wait of a status. */
  peerRequestMs: 60_000,
  /** Commands that go over the peer plane at the same time, from one folder of keys. */
  clientKeysMax: 32,
  /** Wait between two looks at a workflow that is waited for. */
  followMs: 500,
  /** Entries from which on a replay's rate is shown. */
  ratedEntriesMin: 1_000,
  /** Journals that `deploy --check` fetches and replays at the same time. */
  checksAtOnce: 8,
  /** After how many of them it says how far it is. */
  checksNoted: 100,
  /** How often `--then move` looks again at jobs that were held, or went on meanwhile, in all. */
  moveRoundsMax: 3,
  /** Wait between two looks: longer than a job that rests keeps its slot. */
  moveRoundMs: 1_500,
  /** A job that has rested for so long, and can't go on sooner than that by itself, gives its slot back and waits. */
  suspendAfterMs: 1_000,
  /** Spans that wait to be sent; more are dropped. */
  spansQueuedMax: 8_192,
  /** Spans of one request to a collector. */
  spansPerBatchMax: 512,
  /** How long the first span of a batch waits for others. */
  spanDelayMs: 1_000,
  /** Time for one request to a collector, its repetitions included. */
  spanExportMs: 5_000,
  /** How long a process that ends waits for its last spans to be sent. */
  traceFlushMs: 2_000,
} as const;

/** Limits and times of `mvm-ci load` (I8). */
export const loadLimits = {
  /** Jobs of one cell: they are published at once. */
  jobsMax: 20_000,
  workersMax: 200,
  enginesMax: 32,
  slotsMax: 1_024,
  /** Jobs of all cells together. */
  jobsOfAllCellsMax: 500_000,
  /** Values in one list, such as of `--jobs`. */
  listMax: 20,
  /** What one job may be asked to do: processor time, and time asleep. */
  jobMsMax: 60_000,
  /** Requests of one job to the site of the load test. */
  requestsMax: 100,
  /** A process of a cluster must be ready by then: a busy machine starts a hundred of them slowly. */
  readyMsMax: 120_000,
  /** Processes that start at the same time. */
  startsAtOnce: 8,
  /** A cell whose jobs have not ended by then is over; those jobs are counted as unfinished. */
  cellMsMax: 300_000,
  /** How often is looked how many jobs have ended. */
  pollMs: 100,
  /** How often memory is looked at. */
  sampleMs: 1_000,
  /** Jobs before each count of workers that are not measured: as many for each worker. */
  warmUpsOfWorker: 4,
  warmUpsMax: 200,
  /** Of what the machine has free, a cluster may be expected to take this share. */
  memoryShareMax: 0.9,
  /** The end of a process's output, for the message when it fails. */
  outputCharsMax: 20_000,
  /** Length of the answer of the load test's site. */
  answerBytes: 1_024,
  /** The largest report that `mvm-ci plan --measured` reads. */
  reportBytesMax: 50_000_000,
} as const;

/** Limits of `mvm-ci plan`: beyond them the numbers are a mistake in a unit. */
export const planLimits = { workersMax: 100_000, processorsMax: 1_024, amountMax: 10_000_000 } as const;

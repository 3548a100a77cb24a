/** Limits and times of the command line (I8). */
export const cliLimits = {
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
} as const;

/** Limits of a worker (I8), and the times that it waits. */
export const workerLimits = {
  /** Jobs that one worker runs at once, unless told otherwise. A waiting workflow costs memory, not a processor. */
  slotsDefault: 16,
  /** Most slots of one worker: what one claim can fill. */
  slotsMax: 1_000,
  /** How long a claim waits at the control plane for a job. */
  claimWaitMs: 20_000,
  /** Time for the answer of a claim beyond its wait, and of a join, an append, a finish and a journal. */
  requestMs: 15_000,
  /** Time for the answer of a heartbeat, when the lease is shorter: a miss closes the connection. */
  heartbeatMsMin: 2_000,
  /** Time for a module's file to begin. */
  moduleMs: 60_000,
  /** Append and finish requests on their way at the same time. */
  shipRequestsMax: 4,
  /** A request takes further batches until it holds this much: large bodies block the transport. */
  shipRequestBytes: 262_144,
  /** First wait before something is tried again; doubles with each failure. */
  retryMs: 50,
  /** Longest such wait. */
  retryMsMax: 2_000,
  /** Shortest time between two log lines about the same unreachable control plane. */
  unreachableLogMs: 5_000,
  /** How long a job may find no engine before it is given back. */
  engineAbsenceMsMax: 60_000,
  /** A run that lasted this long had an engine, though it may have appended nothing. */
  engineSteadyMs: 5_000,
  /** How soon the claim loop looks again whether there is an engine. */
  obstacleCheckMs: 250,
  /** Grace time of a drain: jobs that end within it are finished, the others are given back. */
  drainGraceMs: 10_000,
  /** Time that giving back may take before a drain ends without an answer. */
  releaseMsMax: 5_000,
} as const;

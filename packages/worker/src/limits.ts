/** Limits of a worker (I8), and the times that it waits. */
export const workerLimits = {
  /** Jobs that one worker runs at once, unless told otherwise. A waiting workflow costs memory, not a processor. */
  slotsDefault: 16,
  /** Most slots of one worker: what one claim can fill. */
  slotsMax: 1_000,
  /** Handlers of one worker that run at the same time, unless told otherwise. */
  handlersDefault: 16,
  /** Jobs that a worker of handlers holds at most. */
  handlerJobsMax: 4_000,
  /** A claim for handlers waits until it can take so many, or half of what is wanted. */
  claimJobsWorthwhile: 500,
  /** Work that a worker holds ahead for its handlers, by what it measured. */
  prefetchMs: 50,
  /** First wait before a run of a handler is tried again; doubles with each failure. */
  runBackoffMs: 100,
  /** A handler that sleeps for longer leaves the worker meanwhile. */
  handlerSleepMsMax: 10_000,
  /** How long a worker hears nothing of its own main thread before it sends the heartbeats by itself, in heartbeats. */
  silentHeartbeats: 1.2,
  /** How long a claim waits at the control plane for a job: a little less than proxies of HTTP commonly let an answer wait. */
  claimWaitMs: 58_000,
  /** How long a question to an inbox waits at the control plane for an item. */
  inboxWaitMs: 20_000,
  /** Time for the answer of a claim or a question to an inbox beyond its wait, and of a join, an append, a finish and a journal. */
  requestMs: 15_000,
  /** Time that a worker which ends takes at most to say so. */
  leaveMs: 1_000,
  /** Time for a stream of calls to open. */
  openStreamMs: 5_000,
  /** Byte strings in a call from which on it is encoded in pieces of this size. */
  longCallBytes: 262_144,
  /** The largest answer: a whole journal, with room for what is around it. */
  answerBytesMax: 536_870_912,
  /** Time for the answer of a heartbeat, when the lease is shorter: a miss closes the connection. */
  heartbeatMsMin: 2_000,
  /** Time for a module's file to begin. */
  moduleMs: 60_000,
  /** Ends of stored batches that are remembered, to seal a snapshot with one of them. */
  batchEndsMax: 2_048,
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
  /** Engines that may be lost one after another while they run a job that doesn't get on, before it is left to its lease. */
  engineLossesMax: 5,
  /** A run that lasted this long had an engine, though it may have appended nothing. */
  engineSteadyMs: 5_000,
  /** How long an engine that had no place for a run is taken for full. */
  busyMs: 500,
  /** How soon a lent engine looks again at a lease whose deadline has passed. */
  lentLeaseCheckMs: 50,
  /** How long an obstacle lasts before it is logged. */
  obstacleGraceMs: 1_000,
  /** How soon the claim loop looks again whether there is an engine. */
  obstacleCheckMs: 250,
  /** How long an engine server may take for a replay, its journal's way included. */
  linkReplayMsMax: 60_000,
  /** Grace time of a drain: jobs that end within it are finished, the others are given back. */
  drainGraceMs: 10_000,
  /** Time beyond the grace in which requests in flight may end, so that nobody has to ask whether they took effect. */
  handOverMsMax: 3_000,
  /** How long an engine may take to give a job back, before that is done without it. */
  engineReleaseMsMax: 4_000,
  /** Time that giving back may take before a drain ends without an answer. */
  releaseMsMax: 5_000,
} as const;

/** Limits and times of a pool of engine servers. */
export const poolLimits = {
  /** Servers in one pool. */
  membersMax: 256,
  /** How often a server is asked for its health, times a random 0.8–1.2. */
  probeMs: 5_000,
  /** How soon it is asked again while its last answer, or its last run, was a failure. */
  probeSuspectMs: 250,
  /** Time for the answer to a probe. */
  probeDeadlineMs: 2_000,
  /** Failures in a row, of probes or of runs, after which a server is ejected. */
  failuresToEject: 3,
  /** Runs that the failure ratio looks back on. */
  ratioRuns: 20,
  /** Runs below which there is no ratio. */
  ratioRunsMin: 10,
  /** Share of failed runs at which a server is ejected. */
  ratioToEject: 0.5,
  /** Failed runs this close together are one failure: one broken connection ends all runs on it. */
  failureMergeMs: 50,
  /** How long a server that failed is used only if there is no other. */
  suspectMs: 1_000,
  /** First time of an ejection; doubles with each that follows. */
  ejectMs: 1_000,
  /** Longest ejection. */
  ejectMsMax: 30_000,
  /** A server that served this long after its return starts with the shortest ejection again. */
  ejectForgetMs: 60_000,
  /** Share of the pool that may be ejected because of failed runs; servers that fail their probes are not counted. */
  ejectedShareMax: 0.5,
  /** How long a server that said it is busy gets no run; doubles with each that follows. */
  busyMs: 100,
  /** Longest such time. */
  busyMsMax: 2_000,
  /** Time in which a new or returned server comes to its full share. */
  slowStartMs: 5_000,
  /** Its share at the beginning. */
  slowStartShareMin: 0.1,
  /** Runs that a server is taken to have room for before it has said so. */
  runsMaxAssumed: 16,
  /** How often a name is looked up when its records say nothing. */
  resolveMs: 15_000,
  /** Shortest time between two lookups, and the wait after the first one that failed. */
  resolveMsMin: 1_000,
  /** Longest time between two lookups, whatever the records say. */
  resolveMsMax: 60_000,
  /** Time for one lookup. */
  lookupMs: 5_000,
} as const;

/** Limits and times of an engine server that doesn't speak the engine link. */
export const foreignLimits = {
  /** Time for the answer of `GET /version`. */
  versionMs: 5_000,
  /** Time for the deployment of a module. */
  deployMs: 60_000,
  /** Starts of one job that could not be sent, after which it is given back. */
  startTriesMax: 20,
  /** Longest answer, in bytes: a result in quotes, and a little around it. */
  answerBytesMax: 4_194_304,
  /** How much of an answer that says no goes into a message, in characters. */
  shownCharsMax: 500,
  /** Silence on a connection after which the kernel asks whether the other side is still there. */
  keepAliveMs: 15_000,
} as const;

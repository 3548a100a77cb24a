/**
 * Limits and periods of the control plane alone (I8); what crosses a boundary is limited in the protocol package.
 * `docs/internals/leases.md` explains the periods.
 */

export const controlLimits = {
  /** Jobs in `pending`; publishing more is refused with QUEUE_FULL. */
  pendingJobsMax: 10_000_000,
  /** Commands that wait for the store; further ones are refused with UNAVAILABLE. */
  commandsWaitingMax: 50_000,
  /** Deployments that the state machine remembers after it has looked them up. */
  modulesRemembered: 1_000,
  /**
   * What V8 may take for young objects in the thread that writes, of which two thirds stay resident. Its default is twice as much and
   * no faster; with half of it a drained job took the control plane about 8 % more processor time.
   */
  writerYoungMib: 48,
  /** Commands in one transaction. */
  groupCommandsMax: 4_096,
  /** What a step of priority is worth, as waiting time. */
  priorityStepMs: 600_000,
  /** How often a webhook of which nothing is heard looks for changes. */
  webhookLookMs: 60_000,
  /** Time for the answer to a webhook's request. */
  webhookMs: 30_000,
  /** The longest such answer, in bytes. */
  webhookAnswerBytesMax: 65_536,
  /** First wait before a request is sent again; doubles each time. */
  webhookRetryMs: 1_000,
  /** Longest such wait. */
  webhookRetryMsMax: 300_000,
  /** Tries of one request before it is given up. */
  webhookTriesMax: 20,
  /** Jobs that are forgotten at once. */
  pruneJobs: 500,
  /** Pause after that while there are more. */
  prunePauseMs: 250,
  /** The same when there were no more. */
  pruneIdleMs: 10_000,
  /** A time of a schedule is missed when it is so long ago. */
  missedMs: 60_000,
  /** Workers of which it is remembered what they can do. */
  abilitiesMax: 10_000,
  /** How long after its last claim a worker that holds nothing counts as there. */
  abilityMs: 90_000,
  /** How long a job that was given back to be moved is kept for the worker that it is meant for. */
  moveReserveMs: 5_000,
  /** Jobs that one reason names. */
  whyJobsMax: 20,
  /** Entries of a journal that is read to say what its job waits for. */
  whyEntriesMax: 10_000,
  /** How far the jobs before another one are counted. */
  aheadCounted: 100_000,
  /** Combinations of queue, key, kind and required tags that jobs which are not over have. */
  lanesMax: 100_000,
  /** Queues that have settings. */
  queuesMax: 10_000,
  /** Jobs that one claim makes ready, as their time has come. */
  promotedPerClaim: 1_000,
  /** Flows that a claim looks at to count what it left. */
  flowsCounted: 1_000,
  /** Classes of jobs of which it is estimated how many there are; with more, claims that wait are tried in turn. */
  classesEstimated: 1_000,
  /** Each time that so many more queues and keys have used a rate, those of which no use counts any more are forgotten. */
  ratesSwept: 1_000,
  /** Longest time between two looks at deadlines, for a clock that is set. */
  deadlineLookMs: 60_000,
  /** Jobs whose deadline has passed that one command looks at. */
  deadlinesPerCommand: 1_000,
  /** Inputs in the answer to one claim, in characters; one job is given in any case. */
  claimInputCharsMax: 4_194_304,
  /** Rows that a claim reads at once. */
  claimRowsRead: 256,
  /** Jobs that are held whose records are kept in memory; those of others are read again. */
  heldRecordsMax: 20_000,
  /** Claims that wait for a job; further ones are refused with UNAVAILABLE. */
  claimsWaitingMax: 10_000,
  /** Among how many workers that wait one is looked for that has the module at hand. */
  localityWaitersMax: 64,
  /** Items that may come into one job's inbox in all. */
  inboxNumbersMax: 1_000_000,
  /** Questions to inboxes that wait for an item; further ones are refused with UNAVAILABLE. */
  inboxWaitsMax: 100_000,
  /** Status requests that wait for the end of a job. */
  statusWaitsMax: 10_000,
  /** Engine links of one node that are open at the same time: one, and those that were lost unnoticed. */
  engineLinksMax: 4,
  /** Event streams that are open at the same time. */
  eventStreamsMax: 1_000,
  /** A log stream looks at the changes of this time together. */
  logPauseMs: 50,
  /** Changes read for an event stream at once. */
  eventRowsMax: 200,
  /** The same at first, before it is known how long they are. */
  eventRowsFirst: 16,
  /** Characters of events that are written to a stream at once, but for one event that has more by itself: so much waits for a reader who reads nothing. */
  eventCharsMax: 262_144,
  /** Payloads and results above this size are left out of lists and event streams. */
  listedTextBytesMax: 65_536,
  /** The body of a join, in bytes, also once it is unpacked: strangers send it. */
  joinBytesMax: 4_096,
  /** Request bodies of one node that are under way, together: twice the longest one. */
  nodeBodyBytesMax: 134_217_728,
  /** Peer streams of one node at the same time. */
  peerStreamsMax: 4,
  /** What a call takes besides its body. */
  callHeadBytesMax: 4_096,
  /** A piece of an answer that is too long for one message. */
  callPieceBytes: 262_144,
  /** Blobs that one job refers to. */
  blobsPerJobMax: 10_000,
  /** Uploads of blobs in parts that are under way at the same time. */
  blobUploadsMax: 256,
  /** An upload of which nothing is heard for this long is given up. */
  blobUploadIdleMs: 120_000,
  /** How long a blob is kept that no job refers to: a week. */
  blobUnreferencedMs: 604_800_000,
  /** How often such blobs are looked for. */
  blobSweepMs: 60_000,
  /** Blobs that are forgotten at once. */
  blobSweepCount: 100,
  /** Tickets that are kept; dead ones make room. */
  ticketsMax: 10_000,
  /** Time that a connection gets to become a member's: a stranger's ends after it. */
  strangerMs: 15_000,
  /** Connections of strangers at the same time; further ones are closed. */
  strangersMax: 1_024,
  /** How often the paths of connections are looked at. */
  pathPollMs: 5_000,
  /** Between two such looks, each at a few: with more than 400 connections all take longer than `pathPollMs`. */
  pathLookMsMin: 250,
  /** How long the start waits for the relay before tickets are made without knowing that it answers. */
  relayReadyMs: 5_000,
  /** A worker that waits for jobs is asked whether it is still there when it was not heard of for this long. */
  rollCallQuietMs: 2_000,
  /** How long an answer to that takes at most; a worker that gives none counts as gone. */
  rollCallMs: 1_500,
  /** Nodes that may join. */
  nodesMax: 100_000,
  /** Log lines, or journal entries, in one answer. */
  journalRowsMax: 10_000,
  /** Bytes of a journal that one answer for a replay holds; a batch is never divided. */
  journalPartBytes: 4_194_304,
  /** Errands that wait for an idle worker; further ones are refused with UNAVAILABLE. */
  errandsWaitingMax: 1_000,
  /** How long an errand waits for one. */
  errandTakeMs: 3_000,
  /** How often an idle worker is called for an errand that nobody has taken: whoever was called before may be dead. */
  errandCallMs: 1_000,
  /** How long whoever took a query has for it before it is offered once more. */
  queryAgainMs: 5_000,
  /** The same for a replay. */
  replayAgainMs: 15_000,
  /** How long a query waits for a worker before an engine in the control plane's own process is told of it. */
  queryLeftMs: 300,
  /** How long the worker that took one has for it. */
  errandMs: 60_000,
  /** Modules that are kept for replays without being deployed; the one that came first makes room. */
  candidatesMax: 4,
  /** How long a job must have been over before its journal is packed, unless told otherwise. */
  compactAfterMs: 60_000,
  /** Jobs that one packing looks at. */
  compactJobs: 100,
  /** Pause between two packings while there is much to do. */
  compactPauseMs: 250,
  /** The same when there was little. */
  compactIdleMs: 5_000,
  /** Bytes of batches that a block holds, before it is compressed; a batch is never divided. */
  blockBytes: 4_194_304,
  /** Bytes that a block may have when it is unpacked: a whole one, or the largest batch, and its frame. */
  blockUnpackedBytesMax: 67_108_864,
  /** What a row of a journal takes besides its bytes: hash, numbers, its place in the index. */
  journalRowBytes: 80,
  /** Leases lost one after another, without the job getting on, after which it is a dead letter. */
  strikesMax: 5,
  /** Leases that one holder loses at once of which any may be to blame. */
  blamedJobsMax: 64,
  /** Lost leases in all after which a job is a dead letter. */
  lostLeasesMax: 100,
  /** Processes alone that ended soon after their start, one after another, before jobs are suspected of it. */
  shortLivesMax: 2,
  /** A job that ran for this long did not end its worker by starting. */
  suspectRunMs: 30_000,
  /** Suspects of which a claim looks whether it may take one. */
  suspectsRead: 1_000,
  /** How soon a suspect that had to wait is looked at again. */
  suspectWaitMs: 1_000,
  /** How late the heartbeat of a worker that holds none may be; then a second one is due. */
  lateHeartbeatMs: 5_000,
  /** First step of the backoff after a lost lease; doubles each time. */
  lostLeaseBackoffMs: 250,
  /** Longest backoff after a lost lease. */
  lostLeaseBackoffMsMax: 30_000,
  /** A comment is written to an event stream that is silent for this long. */
  eventKeepAliveMs: 15_000,
  /** How often the times at which nodes were last seen are stored. */
  nodeTouchMs: 15_000,
  /** How late a deadline timer may fire before the leases are given time again. */
  stallMs: 200,
  /** The time that they are then given. */
  stallGraceMs: 100,
  /** A lease ends at most this much after its deadline. */
  expiryGranularityMs: 20,
  /** Wait before expiring again what the store refused to expire. */
  expiryRetryMs: 1_000,
  /** How long a stop waits for requests under way. */
  drainMs: 2_000,
  /** What `Retry-After` says. */
  retryAfterSeconds: 1,
} as const;

/** The periods of the lease protocol. */
export interface LeasePeriods {
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly idleHeartbeatMs: number;
  readonly bareLeaseMs: number;
  readonly startGraceMs: number;
}

/** How long after its last sign of life a node counts as alive. */
export const aliveMs = ({ idleHeartbeatMs }: LeasePeriods): number =>
  2 * idleHeartbeatMs + controlLimits.lateHeartbeatMs;

/** The defaults of `docs/internals/leases.md`. */
export const defaultPeriods: LeasePeriods = {
  leaseMs: 2_000,
  heartbeatMs: 500,
  idleHeartbeatMs: 60_000,
  bareLeaseMs: 300_000,
  startGraceMs: 10_000,
};

/**
 * The periods of a control plane whose one worker is in its own process. A lease there protects from nobody: it only must not
 * run out while the process is busy, or stopped for a while. None outlives the process, so the start waits for none.
 */
export const standalonePeriods: LeasePeriods = { ...defaultPeriods, leaseMs: 600_000, startGraceMs: 0 };

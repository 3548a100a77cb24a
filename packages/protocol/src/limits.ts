/**
 * Limits of what crosses a boundary (I8). Bytes unless the name says otherwise. Packages keep limits that are theirs
 * alone in a `limits.ts` of their own.
 */

export const limits = {
  /** Longest grace time that a drain can ask for. */
  drainGraceMsMax: 86_400_000,
  /** A job's input, as JSON text. */
  inputBytesMax: 1_048_576,
  /** A job's result, as JSON text. */
  resultBytesMax: 1_048_576,
  /** A module file (code, source map and header). */
  moduleBytesMax: 67_108_864,
  /** A request body of any route, module upload apart. */
  requestBytesMax: 33_554_432,
  /** Jobs in one publish. */
  publishJobsMax: 1_000,
  /** Jobs that one request moves to another module. */
  repinJobsMax: 1_000,
  /** Jobs in one claim. */
  claimJobsMax: 1_000,
  /** Appends or finishes in one request. */
  appendsMax: 1_000,
  /** Leases in one heartbeat: several full claims. */
  heartbeatLeasesMax: 10_000,
  /** Longest long poll of a claim or of a status. */
  waitMsMax: 60_000,
  /** Entry bytes in one append of one job. */
  appendBytesMax: 16_777_216,
  /** Entries of one attempt's journal. */
  journalEntriesMax: 2_000_000,
  /** Bytes of one attempt's journal. */
  journalBytesMax: 268_435_456,
  /** Bytes of a stored snapshot, compressed; a guest that needs more replays. */
  snapshotBytesMax: 8_388_608,
  /** Bytes of its head; a run that needs more reads its whole journal again. */
  snapshotHeadBytesMax: 1_048_576,
  /** Job ids, worker names, module names, versions, reasons, tags: characters. */
  idCharsMax: 128,
  /** Free text such as a cancellation's reason or a progress note: characters. */
  textCharsMax: 1_000,
  /** Tags of a worker or a job. */
  tagsMax: 32,
  /** Nodes that may join by one ticket that counts them. */
  ticketUsesMax: 1_000_000,
  /** Longest life of a ticket that expires: ten years. */
  ticketLifetimeMsMax: 315_360_000_000,
  /** An error message that is stored: characters, the rest is cut. */
  errorMessageCharsMax: 4_000,
  /** Attempts of a job. */
  attemptsMax: 100,
  /** A message's data, as JSON text. */
  messageBytesMax: 1_048_576,
  /** Items that wait in one job's inbox. */
  inboxItemsMax: 10_000,
  /** Inbox items in one answer. */
  inboxPageItems: 1_000,
  /** Internal effects in one append of one job. */
  internalEffectsMax: 10_000,
  /** Priorities reach from minus this to this. */
  priorityMax: 100,
  /** Longest delay or timeout: ten years, in ms. */
  durationMsMax: 315_360_000_000,
  /** Latest time, in Unix ms: the end of the year 9999. */
  timeMsMax: 253_402_300_799_999,
  /** Jobs that one job waits for. */
  dependenciesMax: 1_000,
  /** Jobs, or claims, that a limit of a queue allows. */
  queueCountMax: 1_000_000_000,
  /** Keys of one queue that have limits of their own. */
  queueKeysMax: 10_000,
  /** Webhooks. */
  webhooksMax: 100,
  /** A URL that somebody sets: characters. */
  urlCharsMax: 2_048,
  /** Schedules. */
  schedulesMax: 10_000,
  /** Missed times of one schedule that are made up for. */
  catchUpTimesMax: 100,
  /** Times of one backfill. */
  backfillTimesMax: 1_000,
  /** Queues that one claim names. */
  claimQueuesMax: 64,
  /** Handlers that a claim names. */
  claimHandlersMax: 256,
  /** Modules that a claim names as being at hand. */
  claimModulesMax: 64,
  /** The largest blob: 4 GiB. */
  blobBytesMax: 4_294_967_296,
  /** Bytes of a blob in one message. */
  blobPartBytesMax: 1_048_576,
  /** A `tracestate`: characters, as the specification demands at least (W3C Trace Context, section 3.3.1.5). */
  tracestateCharsMax: 512,
  /** Its members (section 3.3.1.1). */
  tracestateMembersMax: 32,
  /** Rows in one page of a list. */
  listRowsMax: 1_000,
} as const;

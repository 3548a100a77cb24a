/** Limits and waits of the client (I8). */
export const clientLimits = {
  /** Tries of one idempotent call while the control plane can't be reached. */
  triesMax: 4,
  /** The same once it has answered: it may be starting again, which takes some seconds. */
  triesMaxOnceThere: 8,
  /** Wait before the second try; doubles with each further one. */
  retryMs: 100,
  /** Requests under way at a time that publish what `publish` was called for. */
  publishRequestsMax: 2,
  /** Jobs in one of them; the control plane takes no more (`limits.publishJobsMax`). */
  publishTogetherMax: 1_000,
  /** Characters of the jobs in one of them, but for a job that has more by itself. */
  publishTogetherChars: 1_048_576,
  /** How long `wait` lets the control plane hold one request open. */
  waitMs: 30_000,
  /** Journal entries asked for at once. */
  journalPageEntries: 10_000,
  /** Wait before an event stream that broke is opened again. */
  eventRetryMs: 500,
  /** Event streams in a row that may break off before anything came. */
  barrenStreamsMax: 5,
} as const;

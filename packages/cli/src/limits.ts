/** Limits and times of the command line (I8). */
export const cliLimits = {
  /** Jobs of one `publish --count`. */
  publishCountMax: 1_000_000,
  /** Wait between two looks at the log of a running job. */
  followMs: 500,
} as const;

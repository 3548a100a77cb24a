/** Limits of a build (I8). */
export const limits = {
  /** Time that a script may take to load while its workflows are listed. */
  loadMsMax: 5_000,
  /** Memory that a script may take to load. */
  loadBytesMax: 268_435_456,
  /** The build step of a `core` module. */
  coreBuildMsMax: 300_000,
  /** What is kept of a failed build step's output. */
  outputCharsMax: 4_000,
} as const;

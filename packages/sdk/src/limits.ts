/** Limits and defaults of the guest side (I8). The host has limits of its own and checks everything again. */

export const limits = {
  /** A fetch's whole time, request and body, when the author names none. */
  fetchTimeoutMsDefault: 120_000,
  /** A log line; the rest is cut, since a line that is too long must not end a job. */
  logCharsMax: 8_000,
  /** A progress note; the rest is cut. */
  progressCharsMax: 1_000,
  /** An error's message and its stack in a `fail` intent; the rest is cut. */
  errorCharsMax: 4_000,
  /** Bytes of one `crypto.getRandomValues` (Web Cryptography API, section 10.1.1). */
  randomBytesMax: 65_536,
} as const;

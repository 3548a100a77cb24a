/** Limits and defaults of the guest side (I8). The host has limits of its own and checks everything again. */

export const limits = {
  /** A fetch's whole time, request and body, when the author names none. */
  fetchTimeoutMsDefault: 120_000,
  /** A log line; the rest is cut, since a line that is too long must not end a job. */
  logCharsMax: 8_000,
  /** Rejections that nothing handles which are told one by one, of one step. */
  unhandledTold: 20,
  /** A progress note; the rest is cut. */
  progressCharsMax: 1_000,
  /** An error's message and its stack in a `fail` intent; the rest is cut. */
  errorCharsMax: 4_000,
  /** Errors behind an error that are told with it, and the lines of the stack of each. */
  causesMax: 5,
  causeFramesMax: 3,
  /** Bytes of an input, of a message's data, and of a response, as JSON text. */
  valueBytesMax: 1_048_576,
  /** A name (a job's id, a message's type, a change, a key): characters. */
  nameCharsMax: 128,
  /** Message types that one receive names. */
  receiveTypesMax: 100,
  /** Attempts of a job. */
  attemptsMax: 100,
  /** Tags of a job. */
  tagsMax: 32,
  /** Priorities reach from minus this to this. */
  priorityMax: 100,
  /** Longest delay or timeout of a job: ten years. */
  durationMsMax: 315_360_000_000,
  /** How much of a wrong value an error shows, in characters. */
  shownCharsMax: 200,
  /** Bytes of one `crypto.getRandomValues` (Web Cryptography API, section 10.1.1). */
  randomBytesMax: 65_536,
} as const;

/** What a guest at rest is, apart from its module: enough to go on elsewhere without its first steps. */
export interface GuestState {
  /**
   * BLAKE3 of the memory that every guest of the module starts from, hex. The state is a difference to it, so it fits where
   * this is the same and nowhere else.
   */
  readonly imageHash: string;
  /** The difference, with what else is state, compressed. It names its attempt by the seed, so it fits into no other one. */
  readonly bytes: Uint8Array;
}

/**
 * A {@link GuestState} as one attempt's holders hand it on. It is only a cache: the journal alone always suffices, and a
 * snapshot that doesn't fit is ignored. It may be kept only when the entries behind it are durable.
 */
export interface Snapshot extends GuestState {
  /** How many of the attempt's first entries are behind it; the last of them is an `intents` entry. */
  readonly entries: number;
  /** Name and version of the guest's runtime. */
  readonly runtime: string;
  /** What the run itself has made of those entries (`run/run-head.ts`). @default a resumed run reads them again */
  readonly head?: Uint8Array | undefined;
}

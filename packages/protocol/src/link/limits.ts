/** Limits of the engine link (I8). */
export const linkLimits = {
  /** Entry bytes in one message, above which the next message takes over; a single entry may be larger. */
  pieceBytes: 32_768,
  /** Entry bytes in one message: one append's largest entry. */
  pieceBytesMax: 16_777_216,
  /** Bytes of a module in one message. */
  modulePieceBytes: 1_048_576,
  /** Bytes of a packed snapshot in one message. */
  snapshotPieceBytes: 262_144,
  /** Blobs of one run that are under way over the link: one read and one kept by each of its open calls. */
  blobsOpenMax: 2_000,
  /** Features that one end lists, and the length of a name. */
  featuresMax: 64,
  featureCharsMax: 64,
  /** How long a holder may be silent while the engine waits for its journal, or for a module. */
  holderSilenceMsMax: 30_000,
} as const;

/**
 * What the ends of an engine link can do beyond what `linkVersion` demands of both. The holder lists its features in `run`, the
 * engine those of them that it has too in `admitted`; only what both list is used. What is used without a run (`replays`) an engine server
 * lists when a link is opened (`linkFeaturesHeader`). So a feature is added without a new number, and neighbouring releases work together.
 */
const known = ['blobs', 'snapshots', 'tails', 'hand-over', 'replays'] as const;

/** A feature of this release. */
export type LinkFeature = (typeof known)[number];

/** All features of this release. */
export const linkFeatures: readonly LinkFeature[] = known;

/** What `own` and the other end's list have in common; names that this release doesn't know mean nothing to it. */
export const commonFeatures = (
  own: readonly LinkFeature[],
  others: readonly string[] | undefined,
): readonly LinkFeature[] => own.filter((feature) => others?.includes(feature));

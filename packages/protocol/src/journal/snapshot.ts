/**
 * A stored snapshot: the state of a step machine at rest, in place of the journal's entries behind it. It is a cache: the journal alone
 * always suffices. Its seal binds it to the history that it stands for: `docs/internals/step-machine.md`, "Snapshots".
 */
import { z } from 'zod';
import { blake3, bytesEqual, hashBytes } from '../hash.ts';
import { limits } from '../limits.ts';
import { pack } from '../packer.ts';
import { bytesSchema } from '../wire.ts';
import type { JournalBatch } from './batch.ts';

/** Version of what is sealed, and of how. */
const snapshotFormat = 1;

/** What an engine makes of a guest: `Snapshot` of the engine. */
export interface SnapshotState {
  /** How many of the attempt's first entries are behind it. */
  readonly entries: number;
  /** Name and version of the guest's runtime. */
  readonly runtime: string;
  /** BLAKE3 of the memory that it is a difference to, hex. */
  readonly imageHash: string;
  readonly bytes: Uint8Array;
  /** What an engine makes of those entries: with it the journal's tail suffices. @default the whole journal is needed */
  readonly head?: Uint8Array | undefined;
}

/** A {@link SnapshotState}, sealed. */
export interface StoredSnapshot extends SnapshotState {
  /** {@link snapshotSeal}. */
  readonly seal: Uint8Array;
  /** {@link headSeal}. */
  readonly headSeal?: Uint8Array | undefined;
}

/** BLAKE3 over the chain's hash of the batch that holds the last entry behind the snapshot, a packed header and the state. */
export const snapshotSeal = (chain: Uint8Array, snapshot: Omit<SnapshotState, 'head'>): Uint8Array => {
  const { entries, runtime, imageHash, bytes } = snapshot;
  return blake3(chain, pack(['mvm-ci snapshot', snapshotFormat, entries, runtime, imageHash]), bytes);
};

/** BLAKE3 over the seal of the snapshot that the head is of, a packed header and the head. */
export const headSeal = (seal: Uint8Array, head: Uint8Array): Uint8Array =>
  blake3(seal, pack(['mvm-ci snapshot head', snapshotFormat]), head);

/** Whether it has a head, which is whole and of this snapshot. */
export const hasHead = ({ seal, head, headSeal: found }: StoredSnapshot): boolean =>
  head !== undefined && found !== undefined && bytesEqual(headSeal(seal, head), found);

/** Whether the snapshot is whole, and stands for entries of this journal; its batches are checked already. */
export const isSnapshotOf = (snapshot: StoredSnapshot, batches: readonly JournalBatch[]): boolean => {
  const { entries } = snapshot;
  const last = batches.find(({ firstSeq, count }) => firstSeq < entries && entries <= firstSeq + count);
  return last !== undefined && bytesEqual(snapshotSeal(last.hash, snapshot), snapshot.seal);
};

const stateShape = {
  entries: z.number().int().positive().max(limits.journalEntriesMax),
  runtime: z.string().max(limits.idCharsMax),
  imageHash: z.string().regex(/^[\da-f]{64}$/),
  bytes: bytesSchema.refine(
    ({ length }) => length <= limits.snapshotBytesMax,
    `a snapshot has at most ${limits.snapshotBytesMax} bytes`,
  ),
  // What can't be read is as good as none.
  head: bytesSchema
    .refine(({ length }) => length <= limits.snapshotHeadBytesMax)
    .optional()
    .catch(undefined),
};

/** Checks a {@link SnapshotState}. */
export const snapshotStateSchema: z.ZodType<SnapshotState> = z.object(stateShape);

/** Checks a {@link StoredSnapshot}. */
export const storedSnapshotSchema: z.ZodType<StoredSnapshot> = z.object({
  ...stateShape,
  seal: bytesSchema.refine(({ length }) => length === hashBytes, `a seal has ${hashBytes} bytes`),
  headSeal: bytesSchema.optional().catch(undefined),
});

/** A snapshot on its way over an engine link, in either direction: packed, and cut into pieces that messages can carry. */
import { z } from 'zod';
import { mvmError } from '../error.ts';
import { joinByteStrings } from '../join-byte-strings.ts';
import { snapshotStateSchema, type SnapshotState } from '../journal/snapshot.ts';
import { limits } from '../limits.ts';
import { pack, unpack } from '../packer.ts';
import { parseAs } from '../wire.ts';
import { linkLimits } from './limits.ts';
import { cut } from './pieces.ts';

/** A piece, and whether it is the last one. */
export interface SnapshotPiece {
  readonly bytes: Uint8Array;
  readonly isLast: boolean;
}

/** Checks a {@link SnapshotPiece}. */
export const snapshotPieceShape: { readonly bytes: z.ZodType<Uint8Array>; readonly isLast: z.ZodType<boolean> } = {
  bytes: z.instanceof(Uint8Array).refine(({ length }) => length <= linkLimits.snapshotPieceBytes),
  isLast: z.boolean(),
};

/** The pieces of `snapshot`, in their order. */
export const snapshotPieces = (snapshot: SnapshotState): readonly SnapshotPiece[] => {
  const parts = cut(pack(snapshot), linkLimits.snapshotPieceBytes);
  return parts.map((bytes, index) => ({ bytes, isLast: index === parts.length - 1 }));
};

const packedBytesMax = limits.snapshotBytesMax + limits.snapshotHeadBytesMax + linkLimits.snapshotPieceBytes;

/** Puts the pieces of snapshots together again, one snapshot after another. */
export class SnapshotIntake {
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  /** @returns the snapshot when this was its last piece. @throws LIMIT_EXCEEDED when it is too long, INVALID_ARGUMENT when it is none */
  take({ bytes, isLast }: SnapshotPiece): SnapshotState | undefined {
    this.#bytes += bytes.length;
    if (this.#bytes > packedBytesMax)
      throw mvmError('LIMIT_EXCEEDED', `a snapshot has at most ${packedBytesMax} bytes on an engine link`, {
        rule: packedBytesMax,
        received: this.#bytes,
      });
    this.#pieces.push(bytes);
    if (!isLast) return undefined;
    const whole = joinByteStrings(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    return parseAs(snapshotStateSchema, unpacked(whole), 'a snapshot on an engine link');
  }
}

const unpacked = (bytes: Uint8Array): unknown => {
  try {
    return unpack(bytes);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw mvmError('INVALID_ARGUMENT', `a snapshot on an engine link is not MessagePack: ${text}`);
  }
};

import { joinByteStrings } from '../join-byte-strings.ts';
import { linkLimits } from './limits.ts';

/**
 * The parts joined in their order into pieces that messages can carry: a piece is closed before it would be longer than
 * `linkLimits.pieceBytes`; a part that is longer alone is a piece of its own.
 */
export function* joinIntoPieces(parts: Iterable<Uint8Array>): Generator<Uint8Array, void, void> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    if (bytes > 0 && bytes + part.length > linkLimits.pieceBytes) {
      yield joinByteStrings(held);
      held = [];
      bytes = 0;
    }
    held.push(part);
    bytes += part.length;
  }
  if (bytes > 0) yield joinByteStrings(held);
}

/** `bytes` cut into parts of at most `bytesMax`; one empty part for none. */
export const cut = (bytes: Uint8Array, bytesMax: number): readonly Uint8Array[] =>
  Array.from({ length: Math.max(1, Math.ceil(bytes.length / bytesMax)) }, (_, index) =>
    bytes.subarray(index * bytesMax, (index + 1) * bytesMax),
  );

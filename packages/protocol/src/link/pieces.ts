import type { InboxItem } from '../api/inbox.ts';
import { joinByteStrings } from '../join-byte-strings.ts';
import { pack } from '../packer.ts';
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

/** Items of an inbox in groups that messages can carry: a group is closed before it would be longer than `linkLimits.pieceBytes`. */
export function* inboxPieces(items: readonly InboxItem[]): Generator<readonly InboxItem[], void, void> {
  let held: InboxItem[] = [];
  let bytes = 0;
  for (const item of items) {
    const { length } = pack(item);
    if (held.length > 0 && bytes + length > linkLimits.pieceBytes) {
      yield held;
      held = [];
      bytes = 0;
    }
    held.push(item);
    bytes += length;
  }
  if (held.length > 0) yield held;
}

/** `bytes` cut into parts of at most `bytesMax`; one empty part for none. */
export const cut = (bytes: Uint8Array, bytesMax: number): readonly Uint8Array[] =>
  Array.from({ length: Math.max(1, Math.ceil(bytes.length / bytesMax)) }, (_, index) =>
    bytes.subarray(index * bytesMax, (index + 1) * bytesMax),
  );

import type { ByteSource } from './port/blobs.ts';

/** The same bytes in whole parts of `bytesMax`, and one that is shorter. */
export const inParts = async function* (source: ByteSource, bytesMax: number): ByteSource {
  let room = new Uint8Array(bytesMax);
  let filled = 0;
  for await (const bytes of source) {
    for (let at = 0; at < bytes.length;) {
      const piece = bytes.subarray(at, at + room.length - filled);
      room.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < room.length) continue;
      yield room;
      // Whoever took it may still be sending it.
      room = new Uint8Array(bytesMax);
      filled = 0;
    }
  }
  if (filled > 0) yield room.subarray(0, filled);
};

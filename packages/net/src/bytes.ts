/** Joins pieces; a single piece is returned as it is. */
export const joinBytes = (pieces: readonly Uint8Array[]): Uint8Array => {
  const [first] = pieces;
  if (pieces.length === 1 && first) return first;
  const joined = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return joined;
};

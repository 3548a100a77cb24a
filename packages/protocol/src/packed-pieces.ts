import { pack } from './packer.ts';

/**
 * MessagePack of `value` in pieces of about `pieceBytes`, so that who sends it may do something else in between. Joined
 * they unpack to the same value as `pack(value)`. Long byte strings are not copied.
 */
export const packPieces = function* (value: unknown, pieceBytes: number): Generator<Uint8Array, void, undefined> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for (const part of parts(value, pieceBytes)) {
    held.push(part);
    heldBytes += part.length;
    if (heldBytes < pieceBytes) continue;
    yield joined(held, heldBytes);
    held = [];
    heldBytes = 0;
  }
  if (heldBytes > 0) yield joined(held, heldBytes);
};

/** Bytes of the byte strings in `value`, which are what makes one long. */
export const bytesWithin = (value: unknown): number => {
  if (value instanceof Uint8Array) return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let bytes = 0;
  for (const part of Object.values(value)) bytes += bytesWithin(part);
  return bytes;
};

const parts = function* (value: unknown, pieceBytes: number): Generator<Uint8Array, void, undefined> {
  if (value instanceof Uint8Array && value.length > pieceBytes) {
    yield head(0xc6, value.length);
    for (let at = 0; at < value.length; at += pieceBytes) yield value.subarray(at, at + pieceBytes);
  } else if (Array.isArray(value)) {
    yield head(0xdd, value.length);
    for (const element of value) yield* parts(element, pieceBytes);
  } else if (isMap(value) && Object.values(value).some((part) => isLong(part, pieceBytes))) {
    const entries = Object.entries(value);
    yield head(0xdf, entries.length);
    for (const [key, part] of entries) {
      yield pack(key);
      yield* parts(part, pieceBytes);
    }
  } else yield pack(value);
};

const isMap = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !(value instanceof Uint8Array);

const isLong = (value: unknown, pieceBytes: number): boolean =>
  value instanceof Uint8Array ? value.length > pieceBytes : Array.isArray(value);

/** The first byte of a bin 32, array 32 or map 32, and its length. */
const head = (first: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(5);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, first);
  view.setUint32(1, length);
  return bytes;
};

const joined = (pieces: readonly Uint8Array[], length: number): Uint8Array => {
  const [only] = pieces;
  if (pieces.length === 1 && only) return only;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
};

/**
 * Messages on the wire: as they are, or packed (4 bytes of their length, then zstd). Short ones are done at once, long
 * ones by the thread pool, so that the event loop goes on.
 *
 *   1. Unpacking writes into one buffer of the length that the message names, never beyond it.
 *   2. Joining many pieces takes a turn of the event loop for each mebibyte.
 */
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib';
import { joinBytes } from '../bytes.ts';
import type { Clock } from '../clock.ts';
import { netLimits } from '../limits.ts';
import { readUint32, uint32 } from './frame.ts';
import { ChannelViolation } from './violation.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

const lengthBytes = 4;
/** Up to here the way to the thread pool and back takes longer than the work. */
const atOnceBytesMax = 16_384;
const joinBytesPerTurn = 1_048_576;
/** 8 MiB, more than our packing uses: what a sender may make the decoder allocate. */
const windowLogMax = 23;

/** A message, ready to be cut into pieces. */
export interface WireMessage {
  readonly bytes: Uint8Array;
  readonly isPacked: boolean;
}

/** Packs `message` when it is long enough and that makes it shorter; a promise when it takes a while. */
export const packMessage = (message: Uint8Array): WireMessage | Promise<WireMessage> => {
  if (message.length < netLimits.compressBytesMin) return { bytes: message, isPacked: false };
  // One buffer for the whole output: what would not fit isn't wanted.
  const options = { params: { [constants.ZSTD_c_compressionLevel]: 1 }, chunkSize: Math.max(64, message.length) };
  if (message.length <= atOnceBytesMax) return shorter(message, zstdCompressSync(message, options));
  return compress(message, options).then((packed) => shorter(message, packed));
};

const shorter = (message: Uint8Array, packed: Uint8Array): WireMessage =>
  packed.length + lengthBytes < message.length
    ? { bytes: joinBytes([uint32(message.length), packed]), isPacked: true }
    : { bytes: message, isPacked: false };

/** The length that a packed message names. @throws ChannelViolation when it is over `bytesMax`, or there is none */
export const unpackedLength = (packed: Uint8Array, bytesMax: number): number => {
  const length = readUint32(packed);
  if (length === undefined) throw new ChannelViolation('a packed message begins with 4 bytes of its length');
  if (length <= bytesMax) return length;
  throw new ChannelViolation(`a message has at most ${bytesMax} bytes once it is unpacked, not ${length}`);
};

/** The message in `packed`; a promise when it takes a while. @throws ChannelViolation when it is damaged */
export const unpackMessage = (packed: Uint8Array, bytesMax: number): Uint8Array | Promise<Uint8Array> => {
  const length = unpackedLength(packed, bytesMax);
  const content = packed.subarray(lengthBytes);
  const params = { [constants.ZSTD_d_windowLogMax]: windowLogMax };
  const options = { params, maxOutputLength: Math.max(1, length), chunkSize: Math.max(64, length) };
  if (length <= atOnceBytesMax && content.length <= atOnceBytesMax) {
    return checked(length, () => zstdDecompressSync(content, options));
  }
  return decompress(content, options).then(
    (bytes) => checked(length, () => bytes),
    () => checked(length, undefined),
  );
};

const checked = (length: number, unpack: (() => Buffer) | undefined): Uint8Array => {
  let bytes: Buffer | undefined;
  try {
    bytes = unpack?.();
  } catch {
    // What zlib says of it helps nobody: the rule does.
  }
  if (bytes?.length === length) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  throw new ChannelViolation(`a packed message can't be unpacked to the ${length} bytes that it names`);
};

/** All pieces as one; a promise when they are many. The result shares no memory with `pieces`. */
export const joinPieces = (
  pieces: readonly Uint8Array[],
  clock: Pick<Clock, 'nextTurn'>,
): Uint8Array | Promise<Uint8Array> => {
  const [first] = pieces;
  if (pieces.length === 1 && first) return ownBytes(first);
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return length <= joinBytesPerTurn ? joinBytes(pieces) : joinInTurns(pieces, length, clock);
};

/** `bytes` without the larger buffer that they may be a part of. */
export const ownBytes = (bytes: Uint8Array): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();

const joinInTurns = async (
  pieces: readonly Uint8Array[],
  length: number,
  clock: Pick<Clock, 'nextTurn'>,
): Promise<Uint8Array> => {
  const joined = new Uint8Array(length);
  let at = 0;
  let pauseAt = joinBytesPerTurn;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
    if (at < pauseAt) continue;
    pauseAt = at + joinBytesPerTurn;
    await clock.nextTurn();
  }
  return joined;
};

/**
 * A memory at rest as its difference to the image that it started from: a few dozen of its pages, compressed. It is what a
 * snapshot of a script guest consists of.
 *
 *     zstd( u32 version = 1 · u32 bytes of the memory · f64 fuel left · 32 bytes seed · run… )
 *     run = u32 address · u32 length · bytes
 *
 *   1. An instance that is given image and difference has, byte for byte, the memory that the difference was taken from.
 *   2. Bytes that are damaged or of something else change nothing: they are found out before the first one is written.
 */
import { blake3, joinByteStrings, toHex } from '@mvm-ci/protocol';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { regionsOf, usedStack, type MemoryImage, type MemoryLayout } from './memory-image.ts';
import type { QuickJSInstance } from './quickjs-instance.ts';

const version = 1;
const headerBytes = 48;
const [memoryAt, fuelAt, seedAt] = [4, 8, 16];
const runHeaderBytes = 8;
const comparedBytes = 4_096;
const options = { params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 } };

/** What is state beside the memory. */
export interface StateHead {
  /** What is left of the attempt's fuel. */
  readonly fuel: number;
  /** The attempt's seed: 32 bytes that no other attempt has. */
  readonly seed: Uint8Array;
}

/** The memory that a guest started from. */
export interface Origin {
  readonly layout: MemoryLayout;
  readonly image: MemoryImage;
}

/** Some bytes that differ, next to each other. */
interface Run {
  readonly address: number;
  readonly bytes: Buffer;
}

/** What `instance` holds beyond the image, and `head`. */
export const differenceOf = (instance: QuickJSInstance, { layout, image }: Origin, head: StateHead): Uint8Array => {
  const runs = regionsOf(layout, instance, image).flatMap(({ address, now, before }) =>
    runsOf(now, before).map(({ from, end }) => ({ address: address + from, bytes: now.subarray(from, end) })),
  );
  const parts = runs.flatMap(({ address, bytes }) => [words(address, bytes.length), bytes]);
  const whole = joinByteStrings([headerOf(instance.bytes.length, head), ...parts]);
  return new Uint8Array(zstdCompressSync(whole, options));
};

/**
 * Brings an instance that holds the image on which `difference` was taken to the memory that it was taken from.
 *
 * @param memoryBytesMax - the guest's limit.
 * @returns undefined when the bytes are no difference: nothing was changed then
 */
export const applyDifference = (
  instance: QuickJSInstance,
  difference: Uint8Array,
  memoryBytesMax: number,
): StateHead | undefined => {
  const read = readDifference(difference, memoryBytesMax);
  if (!read || read.memoryBytes < instance.bytes.length) return undefined;
  instance.growTo(read.memoryBytes);
  for (const { address, bytes } of read.runs) instance.bytes.set(bytes, address);
  return read.head;
};

/** BLAKE3 of all that `instance` holds, hex: equal for guests that took the same steps, however they came to them. */
export const memoryHash = (instance: QuickJSInstance, { layout, image }: Origin): string => {
  const { bytes } = instance;
  const { stack, heapEnd } = usedStack(layout, instance, image);
  const heap = bytes.subarray(layout.stackTop, heapEnd);
  return toHex(blake3(words(bytes.length, stack.length), bytes.subarray(0, layout.dataEnd), stack, heap));
};

const runsOf = (now: Buffer, before: Buffer): readonly { readonly from: number; readonly end: number }[] => {
  const runs: { from: number; end: number }[] = [];
  for (let from = 0; from < now.length; from += comparedBytes) {
    const end = Math.min(from + comparedBytes, now.length);
    if (isSame(now, before, { from, end })) continue;
    const last = runs.at(-1);
    if (last?.end === from) last.end = end;
    else runs.push({ from, end });
  }
  return runs;
};

/** What lies behind the end of `before` was zero. */
const isSame = (
  now: Buffer,
  before: Buffer,
  { from, end }: { readonly from: number; readonly end: number },
): boolean => {
  const known = Math.min(Math.max(before.length, from), end);
  const isKnownSame = from === known || before.compare(now, from, known, from, known) === 0;
  return isKnownSame && now.subarray(known, end).equals(zeros.subarray(0, end - known));
};

const zeros = Buffer.alloc(comparedBytes);

interface Difference {
  readonly memoryBytes: number;
  readonly head: StateHead;
  readonly runs: readonly Run[];
}

const headerOf = (memoryBytes: number, { fuel, seed }: StateHead): Buffer => {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(version, 0);
  header.writeUInt32LE(memoryBytes, memoryAt);
  header.writeDoubleLE(fuel, fuelAt);
  header.set(seed.subarray(0, headerBytes - seedAt), seedAt);
  return header;
};

const readDifference = (difference: Uint8Array, memoryBytesMax: number): Difference | undefined => {
  const whole = unpacked(difference, 2 * memoryBytesMax);
  if (!whole || whole.length < headerBytes || whole.readUInt32LE(0) !== version) return undefined;
  const memoryBytes = whole.readUInt32LE(memoryAt);
  if (memoryBytes > memoryBytesMax) return undefined;
  const fuel = whole.readDoubleLE(fuelAt);
  if (!Number.isSafeInteger(fuel) || fuel < 0) return undefined;
  const head = { fuel, seed: new Uint8Array(whole.subarray(seedAt, headerBytes)) };
  const runs: Run[] = [];
  let at = headerBytes;
  while (at < whole.length) {
    if (at + runHeaderBytes > whole.length) return undefined;
    const [address, length] = [whole.readUInt32LE(at), whole.readUInt32LE(at + 4)];
    at += runHeaderBytes;
    if (at + length > whole.length || address + length > memoryBytes) return undefined;
    runs.push({ address, bytes: whole.subarray(at, at + length) });
    at += length;
  }
  return { memoryBytes, head, runs };
};

const unpacked = (difference: Uint8Array, bytesMax: number): Buffer | undefined => {
  try {
    return zstdDecompressSync(difference, { maxOutputLength: bytesMax });
  } catch {
    return undefined;
  }
};

const words = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.allocUnsafe(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, 4 * index);
  return bytes;
};

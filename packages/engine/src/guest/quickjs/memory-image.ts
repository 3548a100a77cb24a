/**
 * What an instance's memory holds at rest, so that it can be put back: into the same instance, to run the next job from a
 * clean start, or into any other instance of the same binary.
 *
 * Between two calls all state of the runtime is its linear memory (its stack pointer is back where it started). The
 * memory has three parts: static data, the stack, which grows down, and the heap, which grows up to the *break*.
 *
 *   1. `restore` leaves static data, the used part of the stack, and the heap as they were captured. A script that went
 *      deeper than the shallow part of the stack left something in the zone below it (no C function skips so many bytes
 *      without writing one); only then the whole permitted stack is put back.
 *   2. What lies above the captured break was either never touched or is zeroed up to the instance's own break.
 *   3. An instance whose memory grew, or that trapped, is not restored but thrown away.
 */
import { blake3, mvmError, toHex } from '@mvm-ci/protocol';
import type { QuickJSInstance } from './quickjs-instance.ts';

/** Where the parts lie: the same for every instance of one binary. */
export interface MemoryLayout {
  /** Address of the word that holds the break. */
  readonly breakAddress: number;
  /** Where the stack begins, growing down; the heap begins there too, growing up. */
  readonly stackTop: number;
  /** End of the static data: the stack can't reach below. */
  readonly dataEnd: number;
}

/** A memory at rest. */
export interface MemoryImage {
  readonly data: Buffer;
  readonly stack: Buffer;
  /** Whether loading stayed in the shallow part of the stack. */
  readonly isShallow: boolean;
  readonly heap: Buffer;
}

/** Size of the stack in this build (its linker's STACK_SIZE). */
const stackBytes = 5_242_880;
// C code may go below the script's limit by what one check to the next takes.
const stackSlackBytes = 262_144;
const shallowBytes = 65_536;
const zoneBytes = 262_144;
const probeBytes = 1_048_576;
// The C library takes memory in such pieces; how many depends on what it had left.
const pieceBytes = 4_096;
const leftOverBytesMax = 131_072;

/**
 * Finds the layout. The break is a variable of the C library with no name in the binary: it is the one word that starts
 * lies at the heap's first address or above and moves up by whole pieces, about as many as are allocated.
 *
 * @throws {MvmError} `INTERNAL` when not exactly one word behaves so
 */
export const findLayout = (scratch: QuickJSInstance): MemoryLayout => {
  const stackTop = scratch.exports.stackPointer();
  const dataEnd = stackTop - stackBytes;
  const readings = [0, 1, 2].map((round) => {
    if (round > 0) scratch.exports.malloc(round * probeBytes);
    return new Uint32Array(scratch.memory.buffer.slice(0, dataEnd));
  });
  const [first, second, third] = readings;
  if (!first || !second || !third) throw mvmError('INTERNAL', 'no readings');
  const candidates = [...first.keys()].filter((word) => {
    const [a, b, c] = [first[word] ?? 0, second[word] ?? 0, third[word] ?? 0];
    return a >= stackTop && movedBy(b - a, probeBytes) && movedBy(c - b, 2 * probeBytes);
  });
  if (candidates.length !== 1 || candidates[0] === undefined)
    throw mvmError('INTERNAL', `the runtime's heap end was not found: ${candidates.length} candidates`);
  return { breakAddress: candidates[0] * 4, stackTop, dataEnd };
};

const movedBy = (moved: number, asked: number): boolean =>
  moved % pieceBytes === 0 && Math.abs(moved - asked) <= leftOverBytesMax;

const breakOf = (layout: MemoryLayout, instance: QuickJSInstance): number =>
  instance.bytes.readUInt32LE(layout.breakAddress);

/**
 * Looks at all that lies above the break of an instance that has loaded a script. That depends on the binary, not on the script: once is enough.
 *
 * @throws {MvmError} `INTERNAL` when something is there: then the layout is not what this file takes it for
 */
export const assertLayout = (layout: MemoryLayout, instance: QuickJSInstance): void => {
  if (!isZero(instance.bytes.subarray(breakOf(layout, instance))))
    throw mvmError('INTERNAL', "the script runtime's memory is not laid out as it was found to be");
};

/** Copies what `instance` holds now. */
export const capture = (layout: MemoryLayout, instance: QuickJSInstance, stackBytesMax: number): MemoryImage => {
  const { bytes } = instance;
  const stackFrom = Math.max(layout.dataEnd, layout.stackTop - stackBytesMax - stackSlackBytes);
  return {
    data: Buffer.from(bytes.subarray(0, layout.dataEnd)),
    stack: Buffer.from(bytes.subarray(stackFrom, layout.stackTop)),
    isShallow: isZero(bytes.subarray(stackFrom, layout.stackTop - shallowBytes)),
    heap: Buffer.from(bytes.subarray(layout.stackTop, breakOf(layout, instance))),
  };
};

/** Puts `image` into `instance`, whose memory grows when loading the script took more than there is. */
export const restore = (layout: MemoryLayout, instance: QuickJSInstance, image: MemoryImage): void => {
  const heapEnd = layout.stackTop + image.heap.length;
  instance.growTo(heapEnd);
  const { bytes } = instance;
  const dirtyEnd = breakOf(layout, instance);
  if (dirtyEnd > heapEnd) bytes.fill(0, heapEnd, dirtyEnd);
  bytes.set(image.data, 0);
  bytes.set(image.heap, layout.stackTop);
  const stack = stayedShallow(layout, bytes, image) ? image.stack.subarray(-shallowBytes) : image.stack;
  bytes.set(stack, layout.stackTop - stack.length);
};

/** A part of an instance's memory, and the same part of the image; what the image lacks at its end was zero. */
export interface MemoryRegion {
  readonly address: number;
  readonly now: Buffer;
  readonly before: Buffer;
}

/** All parts of an instance's memory that can differ from the image. The buffers are views: valid until it runs again. */
export const regionsOf = (
  layout: MemoryLayout,
  instance: QuickJSInstance,
  image: MemoryImage,
): readonly MemoryRegion[] => {
  const { bytes } = instance;
  const { stack, heapEnd } = usedStack(layout, instance, image);
  const before = stack.length === 0 ? image.stack.subarray(0, 0) : image.stack.subarray(-stack.length);
  return [
    { address: 0, now: bytes.subarray(0, layout.dataEnd), before: image.data },
    { address: layout.stackTop - stack.length, now: stack, before },
    { address: layout.stackTop, now: bytes.subarray(layout.stackTop, heapEnd), before: image.heap },
  ];
};

/** The part of the stack that was used (1), and where what was used of the heap ends. */
export const usedStack = (
  layout: MemoryLayout,
  instance: QuickJSInstance,
  image: MemoryImage,
): { readonly stack: Buffer; readonly heapEnd: number } => {
  const { bytes } = instance;
  const used = stayedShallow(layout, bytes, image) ? shallowBytes : image.stack.length;
  return {
    stack: bytes.subarray(layout.stackTop - used, layout.stackTop),
    heapEnd: Math.max(breakOf(layout, instance), layout.stackTop + image.heap.length),
  };
};

const stayedShallow = (layout: MemoryLayout, bytes: Buffer, image: MemoryImage): boolean => {
  const shallowFrom = layout.stackTop - shallowBytes;
  return image.isShallow && isZero(bytes.subarray(shallowFrom - zoneBytes, shallowFrom));
};

/** BLAKE3 of an image, hex. The same script in the same runtime under the same limits has the same one, on every machine. */
export const imageHash = ({ data, stack, heap }: MemoryImage, limits: object): string =>
  toHex(blake3(JSON.stringify([limits, data.length, stack.length, heap.length]), data, stack, heap));

const isZero = (bytes: Buffer): boolean => {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length);
    if (!part.equals(zeros.subarray(0, part.length))) return false;
  }
  return true;
};

const zeros = Buffer.alloc(65_536);

/** A `core` module of any size: the bench's guest with functions added that it never calls, as libraries are in real ones. */
import { decodeModule, encodeModule, moduleHash } from '@mvm-ci/protocol';
import type { BenchModule } from '../guest/modules.ts';

const sections = { function: 3, code: 10 } as const;
const functionBytes = 512;

interface Section {
  readonly id: number;
  readonly content: Uint8Array;
}

/**
 * @param bytes - about how many of WebAssembly.
 * @param variant - modules of different variants have different hashes.
 */
export const largeModule = (module: BenchModule, bytes: number, variant: number): BenchModule => {
  const file = decodeModule(module.file);
  const added = Math.ceil(bytes / functionBytes);
  const code = withFunctions(
    file.code,
    Array.from({ length: added }, (_, index) => body(index + variant * added)),
  );
  const large = encodeModule({ ...file, code });
  return { ...module, name: `${module.name}-large-${variant}`, hash: moduleHash(large), file: large };
};

const withFunctions = (wasm: Uint8Array, bodies: readonly Uint8Array[]): Uint8Array => {
  const parts = sectionsOf(wasm).map(({ id, content }) => {
    // All are of the first function's type; its signature doesn't matter, since each body traps at its end.
    if (id === sections.function)
      return withItems(
        id,
        content,
        bodies.map(() => content.subarray(countEnd(content), countEnd(content) + 1)),
      );
    return id === sections.code ? withItems(id, content, bodies) : sectionBytes(id, content);
  });
  return Buffer.concat([wasm.subarray(0, 8), ...parts]);
};

/** A list section with more items at its end. */
const withItems = (id: number, content: Uint8Array, items: readonly Uint8Array[]): Uint8Array => {
  const [count] = readLeb(content, 0);
  const rest = content.subarray(countEnd(content));
  return sectionBytes(id, Buffer.concat([leb(count + items.length), rest, ...items]));
};

/** Arithmetic on constants that differ from function to function, then `unreachable`. */
const body = (number: number): Uint8Array => {
  const parts: Buffer[] = [Buffer.from([0])];
  let length = 0;
  for (let at = 0; length < functionBytes - 16; at += 1) {
    // i32.const, i32.const, i32.mul, drop
    const part = Buffer.concat([
      Buffer.from([0x41]),
      leb5(number),
      Buffer.from([0x41]),
      leb5(at),
      Buffer.from([0x6c, 0x1a]),
    ]);
    parts.push(part);
    length += part.length;
  }
  parts.push(Buffer.from([0x00, 0x0b]));
  const code = Buffer.concat(parts);
  return Buffer.concat([leb(code.length), code]);
};

const sectionsOf = (wasm: Uint8Array): readonly Section[] => {
  const found: Section[] = [];
  for (let at = 8; at < wasm.length;) {
    const [length, from] = readLeb(wasm, at + 1);
    found.push({ id: wasm[at] ?? 0, content: wasm.subarray(from, from + length) });
    at = from + length;
  }
  return found;
};

const sectionBytes = (id: number, content: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from([id]), leb(content.length), content]);

const countEnd = (content: Uint8Array): number => readLeb(content, 0)[1];

const readLeb = (bytes: Uint8Array, from: number): readonly [value: number, end: number] => {
  let [value, shift, at] = [0, 0, from];
  for (;;) {
    const byte = bytes[at++] ?? 0;
    value += (byte & 0x7f) * 2 ** shift;
    shift += 7;
    if (byte < 0x80) return [value, at];
  }
};

const leb = (value: number): Buffer => {
  const bytes: number[] = [];
  let left = value;
  do {
    bytes.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    left >>>= 7;
  } while (left > 0);
  return Buffer.from(bytes);
};

/** Always five bytes, so that all bodies have one length; not negative. */
const leb5 = (value: number): Buffer =>
  Buffer.from([0, 7, 14, 21].map((shift) => ((value >>> shift) & 0x7f) | 0x80).concat((value >>> 28) & 0x07));

/** The same script with other bytes, so with another hash. */
export const variantOf = (module: BenchModule, variant: number): BenchModule => {
  const file = decodeModule(module.file);
  const changed = encodeModule({ ...file, code: Buffer.concat([file.code, Buffer.from(`\n// ${variant}\n`)]) });
  return { ...module, name: `${module.name}-${variant}`, hash: moduleHash(changed), file: changed };
};

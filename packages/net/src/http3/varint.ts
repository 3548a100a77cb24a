/**
 * Variable-length integers (RFC 9000 section 16): the two top bits of the first byte give the length, 1, 2, 4 or 8.
 *
 * Values above 2^53 are read rounded. Only reserved ("grease") types and settings are that large, and those are
 * ignored; a rounded one never equals a known one.
 */
import { Http3Error } from './error.ts';

/** The length in bytes that the first byte of an integer announces: 1, 2, 4 or 8. */
export const varintLength = (firstByte: number): number => 1 << (firstByte >> 6);

/**
 * Reads the integer at `offset`.
 *
 * @returns its value, or undefined when `bytes` ends inside it.
 */
export const readVarint = (bytes: Uint8Array, offset: number): number | undefined => {
  const first = bytes[offset];
  if (first === undefined) return undefined;
  const end = offset + varintLength(first);
  if (end > bytes.length) return undefined;
  let value = first & 0x3f;
  for (let index = offset + 1; index < end; index += 1) value = value * 256 + (bytes[index] ?? 0);
  return value;
};

/** The bytes that {@link varint} needs for `value`. */
export const varintSize = (value: number): 1 | 2 | 4 | 8 => {
  if (value < 0x40) return 1;
  if (value < 0x4000) return 2;
  return value < 0x4000_0000 ? 4 : 8;
};

/** The shortest form of an integer from 0 to 2^53-1. */
export const varint = (value: number): Uint8Array => {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`no variable-length integer: ${value}`);
  const size = varintSize(value);
  const bytes = new Uint8Array(size);
  let rest = value;
  for (let index = size - 1; index >= 0; index -= 1) {
    bytes[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  bytes[0] = (bytes[0] ?? 0) | (Math.log2(size) << 6);
  return bytes;
};

/** All integers that `bytes` holds, one after another. @throws Http3Error H3_FRAME_ERROR when it ends inside one */
export const readVarints = (bytes: Uint8Array): number[] => {
  const values: number[] = [];
  let offset = 0;
  while (offset < bytes.length) {
    const value = readVarint(bytes, offset);
    if (value === undefined) throw new Http3Error('H3_FRAME_ERROR', 'the payload ends inside an integer');
    values.push(value);
    offset += varintLength(bytes[offset] ?? 0);
  }
  return values;
};

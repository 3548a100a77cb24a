/** Writes the primitives of the WebAssembly binary format (core specification, section 5.2). */

/** An unsigned LEB128 number of up to 32 bits. */
export const leb = (value: number): readonly number[] =>
  value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];

/** A signed LEB128 number: the operand of `i32.const` and `i64.const`. */
export const signedLeb = (value: bigint): readonly number[] =>
  value >= -64n && value < 64n ? [Number(value & 0x7fn)] : [Number(value & 0x7fn) | 0x80, ...signedLeb(value >> 7n)];

/** A name: its length in bytes, and its bytes. */
export const nameBytes = (name: string): readonly number[] => [...leb(Buffer.byteLength(name)), ...Buffer.from(name)];

/** Reads the primitives of the WebAssembly binary format (core specification, section 5.2). */
import { mvmError, type MvmError } from '@mvm-ci/protocol';

/** A cursor over a module's bytes. Offsets are those of the file, for messages. */
export class WasmReader {
  /** The whole file. */
  readonly bytes: Uint8Array;
  readonly #from: number;
  #at: number;
  /** Offset behind what it reads. */
  readonly end: number;

  constructor(bytes: Uint8Array, from = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.#from = from;
    this.#at = from;
    this.end = end;
  }

  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.end;
  }

  byte(): number {
    const value = this.bytes[this.#at];
    if (value === undefined || this.#at >= this.end) throw cutAt(this.#at);
    this.#at += 1;
    return value;
  }

  /** An unsigned LEB128 number of up to 32 bits; wider ones are read past and cut. */
  u32(): number {
    let value = 0;
    let shift = 0;
    for (;;) {
      const byte = this.byte();
      if (shift < 32) value += (byte & 0x7f) * 2 ** shift;
      shift += 7;
      if ((byte & 0x80) === 0) return value;
    }
  }

  /** Passes over a LEB128 number of any kind. */
  skipLeb(): void {
    while ((this.byte() & 0x80) !== 0);
  }

  pass(bytes: number): void {
    this.#at += bytes;
  }

  name(): string {
    const length = this.u32();
    const from = this.#at;
    this.pass(length);
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.bytes.subarray(from, from + length));
  }

  /** A reader of the next `bytes` bytes, which this one passes over. */
  part(bytes: number): WasmReader {
    const from = this.#at;
    this.pass(bytes);
    return new WasmReader(this.bytes, from, Math.min(from + bytes, this.end));
  }

  /** The same reader at its beginning. */
  rewound(): WasmReader {
    return new WasmReader(this.bytes, this.#from, this.end);
  }

  /** Reads a vector: its count, then each element by `read`. */
  list<T>(read: (reader: this) => T): readonly T[] {
    const count = this.u32();
    const items: T[] = [];
    while (items.length < count) items.push(read(this));
    return items;
  }
}

/** The error for bytes that end too early. */
export const cutAt = (offset: number): MvmError =>
  mvmError('MODULE_INVALID', `the WebAssembly ends in the middle of a value at offset ${offset}`);

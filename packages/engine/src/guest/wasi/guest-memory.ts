/** A guest's linear memory as its host calls see it: little-endian, unsigned, every access within bounds. */
import { engineLimits } from '../../limits.ts';
import { WasiError } from './errno.ts';

/** All methods throw {@link WasiError} `fault` when the place lies outside of the memory. */
export class GuestMemory {
  #memory: WebAssembly.Memory | undefined;
  #bytes: Buffer = Buffer.alloc(0);
  readonly #onWork: (bytes: number) => void;

  /** @param onWork - told how many bytes a call is about to read or write. @default nothing */
  constructor(onWork: (bytes: number) => void = () => undefined) {
    this.#onWork = onWork;
  }

  /** Host functions exist before the memory that they work on: until then every place lies outside of it. */
  bind(memory: WebAssembly.Memory): void {
    this.#memory = memory;
  }

  /** The bytes themselves, not a copy: valid until the guest runs again. */
  slice(place: number, length: number): Uint8Array {
    const from = place >>> 0;
    const bytes = this.#within(from, length >>> 0);
    this.#onWork(length >>> 0);
    return bytes.subarray(from, from + (length >>> 0));
  }

  /** UTF-8 text. @throws {WasiError} `ilseq` when it isn't UTF-8 */
  text(place: number, length: number): string {
    const bytes = this.slice(place, length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new WasiError('ilseq');
    }
  }

  u8(place: number): number {
    return this.#within(place >>> 0, 1).readUInt8(place >>> 0);
  }

  u16(place: number): number {
    return this.#within(place >>> 0, 2).readUInt16LE(place >>> 0);
  }

  u32(place: number): number {
    return this.#within(place >>> 0, 4).readUInt32LE(place >>> 0);
  }

  u64(place: number): bigint {
    return this.#within(place >>> 0, 8).readBigUInt64LE(place >>> 0);
  }

  write(place: number, bytes: Uint8Array): void {
    const target = this.#within(place >>> 0, bytes.length);
    this.#onWork(bytes.length);
    target.set(bytes, place >>> 0);
  }

  setU32(place: number, value: number): void {
    this.#within(place >>> 0, 4).writeUInt32LE(value >>> 0, place >>> 0);
  }

  setU64(place: number, value: bigint): void {
    this.#within(place >>> 0, 8).writeBigUInt64LE(BigInt.asUintN(64, value), place >>> 0);
  }

  /** The places that a list of `count` iovec or ciovec records names, in order. @throws {WasiError} `inval` for too many */
  vectors(place: number, count: number): readonly Uint8Array[] {
    const from = place >>> 0;
    if (count >>> 0 > engineLimits.ioVectorsMax) throw new WasiError('inval');
    return Array.from({ length: count >>> 0 }, (_, index) =>
      this.slice(this.u32(from + index * 8), this.u32(from + index * 8 + 4)),
    );
  }

  #within(from: number, length: number): Buffer {
    // Growth gives the memory another buffer.
    if (this.#memory && this.#bytes.buffer !== this.#memory.buffer) this.#bytes = Buffer.from(this.#memory.buffer);
    if (from + length > this.#bytes.length) throw new WasiError('fault');
    return this.#bytes;
  }
}

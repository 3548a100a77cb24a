/** Of the encoding: the first byte of each activation, and of each step's intents. */
export const wireVersion = 1;

const firstBytes = 1_024;
const keptBytesMax = 1_048_576;

/** Writes the little-endian encoding of step-machine.md ("Encoding for `core`") into a buffer that grows. */
export class WireWriter {
  #bytes: Buffer = Buffer.allocUnsafe(firstBytes);
  #length = 0;

  /** What was written; valid until the next write. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Starts anew; a buffer that one large value has made grow is let go. */
  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > keptBytesMax) this.#bytes = Buffer.allocUnsafe(firstBytes);
  }

  u8(value: number): void {
    this.#room(1);
    this.#length = this.#bytes.writeUInt8(value, this.#length);
  }

  u32(value: number): void {
    this.#room(4);
    this.#length = this.#bytes.writeUInt32LE(value, this.#length);
  }

  f64(value: number): void {
    this.#room(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.u32(length);
    this.#room(length);
    this.#length += this.#bytes.write(value, this.#length);
  }

  /** A text that may be left out: whether it is there before it. */
  optional(value: string | null): void {
    this.u8(value === null ? 0 : 1);
    if (value !== null) this.text(value);
  }

  /** Bytes with their length before them. */
  bytes(value: Uint8Array): void {
    this.u32(value.length);
    this.raw(value);
  }

  /** What `write` appends, with its length before it. */
  measured(write: () => void): void {
    const at = this.#length;
    this.u32(0);
    write();
    this.#bytes.writeUInt32LE(this.#length - at - 4, at);
  }

  /** Bytes alone. */
  raw(value: Uint8Array): void {
    this.#room(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + bytes));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

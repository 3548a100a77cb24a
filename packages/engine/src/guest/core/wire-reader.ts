/** Reads the little-endian encoding of step-machine.md ("Encoding for `core`"). */
import { GuestFault } from '../guest.ts';

/** Each method reads one value. All throw {@link GuestFault} `GUEST_PROTOCOL` when the bytes end before it does. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get at(): number {
    return this.#at;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  f64(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  text(): string {
    const length = this.u32();
    const from = this.#take(length);
    return this.#bytes.toString('utf8', from, from + length);
  }

  /** A copy of its own. */
  bytes(): Uint8Array {
    const length = this.u32();
    const from = this.#take(length);
    return new Uint8Array(this.#bytes.subarray(from, from + length));
  }

  #take(bytes: number): number {
    const from = this.#at;
    if (from + bytes > this.#bytes.length)
      throw new GuestFault({
        code: 'GUEST_PROTOCOL',
        message: `the guest's intents are wrong: ${this.#bytes.length} bytes end in a value of ${bytes} bytes at byte ${from}`,
      });
    this.#at = from + bytes;
    return from;
  }
}

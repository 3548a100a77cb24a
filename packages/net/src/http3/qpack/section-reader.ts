/** Reads a field section: integers with a prefix (RFC 7541 section 5.1: the low bits of a byte, then 7 bits a byte), strings. */
import { Http3Error } from '../error.ts';

/** Reads one field section from front to back. The only thing it throws is Http3Error. */
export class SectionReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get hasMore(): boolean {
    return this.#offset < this.#bytes.length;
  }

  /** The next byte, without taking it. */
  peek(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw failed('the field section is cut off');
    return byte;
  }

  /** An integer in the low `prefixBits` of the next byte and what follows; at most 2^32. */
  integer(prefixBits: number): number {
    const prefixMax = 2 ** prefixBits - 1;
    let value = this.#take() & prefixMax;
    if (value < prefixMax) return value;
    for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
      const byte = this.#take();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw failed('an integer is too large');
  }

  bytes(length: number): Uint8Array {
    const end = this.#offset + length;
    if (end > this.#bytes.length) throw failed('a string is cut off');
    const taken = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return taken;
  }

  #take(): number {
    const byte = this.peek();
    this.#offset += 1;
    return byte;
  }
}

const failed = (message: string): Http3Error => new Http3Error('QPACK_DECOMPRESSION_FAILED', message);

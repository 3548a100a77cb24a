/** Writes a field section: integers with a prefix (RFC 7541 section 5.1) and strings, into one buffer that grows. */
import { huffmanEncodeInto, huffmanSize } from './huffman.ts';

/** Most sections fit. */
const FIRST_BYTES = 256;
/** An integer of 53 bits has at most this many bytes. */
const INTEGER_BYTES_MAX = 9;

export class SectionWriter {
  #buffer = new Uint8Array(FIRST_BYTES);
  #length = 0;

  /** What was written. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** An integer whose first byte also carries `flags` in its high bits. */
  integer(value: number, prefixBits: number, flags: number): void {
    this.#makeRoom(INTEGER_BYTES_MAX);
    const prefixMax = 2 ** prefixBits - 1;
    if (value < prefixMax) return this.#byte(flags | value);
    this.#byte(flags | prefixMax);
    let rest = value - prefixMax;
    while (rest >= 128) {
      this.#byte((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    this.#byte(rest);
  }

  /**
   * A string, characters up to U+00FF: the bit above the length says whether it is Huffman-coded, which is used when it
   * is shorter.
   */
  text(text: string, prefixBits: number, flags: number): void {
    const size = huffmanSize(text);
    const isHuffman = size < text.length;
    const length = isHuffman ? size : text.length;
    this.integer(length, prefixBits, isHuffman ? flags | (1 << prefixBits) : flags);
    this.#makeRoom(length);
    if (isHuffman) huffmanEncodeInto(text, this.#buffer, this.#length);
    else for (let index = 0; index < length; index += 1) this.#buffer[this.#length + index] = text.charCodeAt(index);
    this.#length += length;
  }

  #byte(byte: number): void {
    this.#buffer[this.#length] = byte;
    this.#length += 1;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = new Uint8Array(2 * needed);
    grown.set(this.bytes());
    this.#buffer = grown;
  }
}

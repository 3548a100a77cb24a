/**
 * `Math.random` and `crypto` on the attempt's seed. Before the attempt starts (while the module is loaded) `Math.random`
 * gives the numbers of a fixed seed, as libraries call it then, and `crypto` refuses: its values would be the same in
 * every job, which is the one thing that they must never be.
 */
import { limits } from '../limits.ts';
import { ChaCha20 } from './chacha20.ts';
import { Xoshiro128 } from './xoshiro128.ts';

const loadSeed = '0'.repeat(64);

/** The part of the Web Cryptography API that needs no key material. */
export interface GuestCrypto {
  getRandomValues<T extends ArrayBufferView>(array: T): T;
  randomUUID(): string;
}

/** The generators of one guest. */
export class Randomness {
  // Two generators: Math.random is to be fast and needn't be hard to guess, ids are the other way round.
  #math = new Xoshiro128(new ChaCha20(loadSeed));
  #crypto: ChaCha20 | undefined;

  /** Begins the attempt's streams. @param seed - 64 hex digits. */
  start(seed: string): void {
    this.#crypto = new ChaCha20(seed);
    this.#math = new Xoshiro128(this.#crypto);
  }

  /** As `Math.random`. */
  readonly random = (): number => this.#math.fraction();

  /** The `crypto` global. */
  readonly crypto: GuestCrypto = {
    getRandomValues: (array) => {
      if (!isIntegerView(array)) throw new TypeError('crypto.getRandomValues takes an integer typed array');
      if (array.byteLength > limits.randomBytesMax) {
        throw new RangeError(
          `crypto.getRandomValues gives at most ${limits.randomBytesMax} bytes at once: received ${array.byteLength}`,
        );
      }
      this.#fill(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
      return array;
    },
    randomUUID: () => {
      const bytes = new Uint8Array(16);
      this.#fill(bytes);
      // Version 4, variant 10 (RFC 9562 section 5.4).
      bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
      bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
      return hexOf(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    },
  };

  #fill(bytes: Uint8Array): void {
    if (!this.#crypto) throw new TypeError('crypto was used while the module was loaded: use it inside a workflow');
    this.#crypto.readInto(bytes);
  }
}

const isIntegerView = (value: unknown): boolean =>
  ArrayBuffer.isView(value) && !/^(DataView|Float\d+Array)$/.test(tagOf(value));

const tagOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1);

const hexOf = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/**
 * `Math.random` and `crypto` on the attempt's seed. Before the attempt starts (while the module is loaded) `Math.random`
 * gives the numbers of a fixed seed, as libraries call it then, and `crypto` refuses: its values would be the same in
 * every job, which is the one thing that they must never be.
 */
import { limits } from '../limits.ts';
import { hexOf } from './byte-text.ts';
import { ChaCha20 } from './chacha20.ts';
import { Xoshiro128 } from './xoshiro128.ts';

const loadSeed = '0'.repeat(64);

/** The part of the Web Cryptography API that a workflow has. */
export interface GuestCrypto {
  getRandomValues<T extends ArrayBufferView>(array: T): T;
  randomUUID(): string;
}

/** The two streams of one seed. */
interface Streams {
  readonly crypto: ChaCha20;
  // Two generators: Math.random is to be fast and needn't be hard to guess, ids are the other way round.
  readonly math: Xoshiro128;
}

const streamsOf = (seed: string): Streams => {
  const crypto = new ChaCha20(seed);
  return { crypto, math: new Xoshiro128(crypto) };
};

/** The generators of one guest. */
export class Randomness {
  readonly #load = streamsOf(loadSeed);
  #seed: string | undefined;
  /** The attempt's, made when they are first used: most workflows draw nothing, and a block of ChaCha20 costs 0.3 ms. */
  #streams: Streams | undefined;

  /** Begins the attempt's streams. @param seed - 64 hex digits. */
  start(seed: string): void {
    this.#seed = seed;
  }

  /** As `Math.random`. */
  readonly random = (): number => (this.#attempt() ?? this.#load).math.fraction();

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

  #attempt(): Streams | undefined {
    if (this.#seed !== undefined) this.#streams ??= streamsOf(this.#seed);
    return this.#streams;
  }

  #fill(bytes: Uint8Array): void {
    const streams = this.#attempt();
    if (!streams) throw new TypeError('crypto was used while the module was loaded: use it inside a workflow');
    streams.crypto.readInto(bytes);
  }
}

const isIntegerView = (value: unknown): boolean =>
  ArrayBuffer.isView(value) && !/^(DataView|Float\d+Array)$/.test(tagOf(value));

const tagOf = (value: object): string => Object.prototype.toString.call(value).slice(8, -1);

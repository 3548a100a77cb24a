/**
 * ChaCha20's keystream (RFC 8439 sections 2.1 to 2.4, nonce 0) as a deterministic generator: the attempt's seed is the
 * key, so a replay reads the same bytes and nobody without the seed can tell what comes next.
 */

const wordsPerBlock = 16;

/** A stream of random words and bytes. */
export class ChaCha20 {
  readonly #state: Uint32Array;
  readonly #block = new Uint32Array(wordsPerBlock);
  #used = wordsPerBlock;

  /** @param seed - 32 bytes as 64 hex digits. */
  constructor(seed: string) {
    this.#state = initialState(seed);
  }

  /** The next 32 bits. */
  word(): number {
    if (this.#used === wordsPerBlock) this.#refill();
    const word = this.#block[this.#used] ?? 0;
    this.#used += 1;
    return word;
  }

  /** Writes the next bytes into `bytes`, the words little-endian. */
  readInto(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 4) {
      const word = this.word();
      for (let byte = 0; byte < 4 && at + byte < bytes.length; byte += 1) bytes[at + byte] = word >>> (8 * byte);
    }
  }

  #refill(): void {
    const [state, block] = [this.#state, this.#block];
    block.set(state);
    for (let round = 0; round < 10; round += 1) doubleRound(block);
    for (let index = 0; index < wordsPerBlock; index += 1) block[index] = (block[index] ?? 0) + (state[index] ?? 0);
    // The block counter of RFC 8439 has 32 bits, 256 GiB; the nonce's first word takes the carry.
    state[12] = (state[12] ?? 0) + 1;
    if (state[12] === 0) state[13] = (state[13] ?? 0) + 1;
    this.#used = 0;
  }
}

// "expand 32-byte k", then the key, then counter and nonce.
const initialState = (seed: string): Uint32Array => {
  const state = new Uint32Array(wordsPerBlock);
  state.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
  for (let word = 0; word < 8; word += 1) state[4 + word] = littleEndian(seed.slice(word * 8, word * 8 + 8));
  return state;
};

const littleEndian = (hex: string): number =>
  [6, 4, 2, 0].reduce((word, at) => (word << 8) | Number.parseInt(hex.slice(at, at + 2), 16), 0);

const doubleRound = (block: Uint32Array): void => {
  for (let column = 0; column < 4; column += 1) {
    quarterRound(block, [column, 4 + column, 8 + column, 12 + column]);
  }
  for (let column = 0; column < 4; column += 1) {
    quarterRound(block, [column, 4 + ((column + 1) % 4), 8 + ((column + 2) % 4), 12 + ((column + 3) % 4)]);
  }
};

const quarterRound = (block: Uint32Array, [a, b, c, d]: readonly [number, number, number, number]): void => {
  mix(block, [a, b, d], 16);
  mix(block, [c, d, b], 12);
  mix(block, [a, b, d], 8);
  mix(block, [c, d, b], 7);
};

// to += add; turned = (turned ^ to) <<< bits
const mix = (block: Uint32Array, [to, add, turned]: readonly [number, number, number], bits: number): void => {
  const sum = ((block[to] ?? 0) + (block[add] ?? 0)) | 0;
  const mixed = (block[turned] ?? 0) ^ sum;
  block[to] = sum;
  block[turned] = (mixed << bits) | (mixed >>> (32 - bits));
};

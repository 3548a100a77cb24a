/** The random bytes of one attempt: the ChaCha20 key stream (RFC 8439) of its seed, the same on every machine. */
import { createCipheriv } from 'node:crypto';

const zeroes = new Uint8Array(65_536);

export class RandomStream {
  readonly #cipher: ReturnType<typeof createCipheriv>;

  /** `seed` has 32 bytes; `purpose` (up to 12 ASCII characters) tells apart streams of one seed. */
  constructor(seed: Uint8Array, purpose: string) {
    const nonce = Buffer.alloc(16);
    nonce.write(purpose, 4, 'latin1');
    this.#cipher = createCipheriv('chacha20', seed, nonce);
  }

  /** Fills `target` with the next bytes of the stream. */
  fill(target: Uint8Array): void {
    for (let at = 0; at < target.length; at += zeroes.length)
      target.set(this.#cipher.update(zeroes.subarray(0, Math.min(zeroes.length, target.length - at))), at);
  }
}

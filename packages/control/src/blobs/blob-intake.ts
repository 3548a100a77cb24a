import { limits, mvmError, type BlobRef, type RunningHash } from '@mvm-ci/protocol';
import type { BlobWriter } from './blob-files.ts';

/** A blob on its way in: written and hashed as it comes. Whoever began it discards it in the end, kept or not. */
export class BlobIntake {
  readonly #writer: BlobWriter;
  readonly #hash: RunningHash;
  #bytes = 0;
  #digest: string | undefined;

  constructor(writer: BlobWriter, hash: RunningHash) {
    this.#writer = writer;
    this.#hash = hash;
  }

  /** How many bytes have come. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The hash of what has come: nothing more does. */
  get digest(): string {
    this.#digest ??= this.#hash.digest();
    return this.#digest;
  }

  /** Calls follow one another. @throws PAYLOAD_TOO_LARGE, UNAVAILABLE */
  async take(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length;
    if (this.#bytes > limits.blobBytesMax) throw blobTooLarge(this.#bytes);
    this.#hash.update(bytes);
    await this.#writer.write(bytes);
  }

  /** Gives it its name, durably. */
  async keep(): Promise<BlobRef> {
    await this.#writer.keep(this.digest);
    return { hash: this.digest, bytes: this.#bytes };
  }

  /** Leaves nothing of it, unless it was kept. Idempotent. */
  discard(): Promise<void> {
    return this.#writer.discard();
  }
}

const blobTooLarge = (received: number): Error => {
  const rule = limits.blobBytesMax;
  return mvmError('PAYLOAD_TOO_LARGE', `a blob has at most ${rule} bytes, and this one has ${received} or more`, {
    rule,
    received,
  });
};

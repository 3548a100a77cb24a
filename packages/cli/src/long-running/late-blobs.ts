import { mvmError, type BlobPort, type BlobRef, type OpenBlob } from '@mvm-ci/protocol';

/** Blobs for an engine that is put together before whoever keeps them. */
export class LateBlobs implements BlobPort {
  #blobs: BlobPort | undefined;

  /** They are there: before any job runs. */
  bind(blobs: BlobPort): void {
    this.#blobs = blobs;
  }

  async put(...asked: Parameters<BlobPort['put']>): Promise<BlobRef> {
    return this.#bound.put(...asked);
  }

  async open(...asked: Parameters<BlobPort['open']>): Promise<OpenBlob> {
    return this.#bound.open(...asked);
  }

  get #bound(): BlobPort {
    if (this.#blobs) return this.#blobs;
    throw mvmError('UNAVAILABLE', 'the blobs are not there yet');
  }
}

/**
 * Uploads of blobs in parts, as workers send them. Owns those that are under way.
 *
 *   1. The parts of an upload are taken one after another, each once: what is sent again is answered as the first time (I3).
 *   2. An upload that is given up, by its sender or with this process, leaves nothing.
 *   3. The bytes are what their hash says, or nothing is kept.
 */
import { mvmError, type BlobPart, type BlobPartAnswer, type Clock, type Timer } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { BlobIntake } from './blob-intake.ts';
import type { BlobStore } from './blob-store.ts';

interface Upload {
  readonly intake: Promise<BlobIntake>;
  turn: Promise<unknown>;
  idle: Timer | undefined;
}

/** See the head of this file. */
export class BlobUploads {
  readonly #blobs: BlobStore;
  readonly #clock: Clock;
  readonly #uploads = new Map<string, Upload>();

  constructor(parts: { readonly blobs: BlobStore; readonly clock: Clock }) {
    this.#blobs = parts.blobs;
    this.#clock = parts.clock;
  }

  /** How many are under way. */
  get count(): number {
    return this.#uploads.size;
  }

  /**
   * Takes a part from a worker.
   *
   * @throws BLOB_NOT_FOUND when the upload is not under way (any more), INVALID_ARGUMENT when the part does not follow or the
   *   hash is another, STALE_LEASE, PAYLOAD_TOO_LARGE, UNAVAILABLE
   */
  async take(worker: string, part: BlobPart): Promise<BlobPartAnswer> {
    const key = `${worker}/${part.job}/${part.upload}`;
    const upload = this.#uploads.get(key) ?? (part.offset === 0 ? this.#begin(key) : undefined);
    if (upload === undefined) return this.#afterTheEnd(worker, part);
    const taken = upload.turn.then(async () => {
      if (this.#uploads.get(key) !== upload) return this.#afterTheEnd(worker, part);
      return this.#takeNext(key, upload, { worker, part });
    });
    upload.turn = taken.catch(() => undefined);
    return taken;
  }

  /** Gives up all. Idempotent. */
  async stop(): Promise<void> {
    for (const [key, upload] of this.#uploads) {
      await upload.turn;
      await this.#end(key, upload);
    }
  }

  #begin(key: string): Upload {
    if (this.#uploads.size >= controlLimits.blobUploadsMax)
      throw mvmError('UNAVAILABLE', `at most ${controlLimits.blobUploadsMax} blobs are uploaded at the same time`);
    const intake = this.#blobs.begin();
    const upload: Upload = { intake, turn: intake.then(() => undefined), idle: undefined };
    upload.turn.catch(() => this.#uploads.delete(key));
    this.#uploads.set(key, upload);
    return upload;
  }

  async #takeNext(
    key: string,
    upload: Upload,
    { worker, part }: { readonly worker: string; readonly part: BlobPart },
  ): Promise<BlobPartAnswer> {
    upload.idle?.cancel();
    const intake = await upload.intake;
    try {
      if (part.offset + part.bytes.length > intake.bytes || part.offset === intake.bytes) {
        demandNext(part, intake);
        await intake.take(part.bytes);
      }
      if (part.hash === undefined) {
        upload.idle = this.#clock.after(controlLimits.blobUploadIdleMs, () => void this.#end(key, upload));
        return { received: intake.bytes, blob: null };
      }
      demandHash(part.hash, intake);
      const blob = await this.#blobs.keep({ job: part.job, worker }, intake);
      await this.#end(key, upload);
      return { received: blob.bytes, blob };
    } catch (error) {
      await this.#end(key, upload);
      throw error;
    }
  }

  /** The last part of an upload may come again, when its answer was lost. */
  async #afterTheEnd(worker: string, { job, upload, offset, bytes, hash }: BlobPart): Promise<BlobPartAnswer> {
    if (hash === undefined)
      throw mvmError('BLOB_NOT_FOUND', `upload ${upload} is not under way here: it failed, or this process is another`);
    const length = await this.#blobs.refer({ job, worker }, hash);
    if (length !== offset + bytes.length)
      throw mvmError('INVALID_ARGUMENT', `blob ${hash} has ${length} bytes, not ${offset + bytes.length}`);
    return { received: length, blob: { hash, bytes: length } };
  }

  async #end(key: string, upload: Upload): Promise<void> {
    upload.idle?.cancel();
    if (this.#uploads.get(key) === upload) this.#uploads.delete(key);
    await (await upload.intake).discard();
  }
}

const demandNext = ({ offset }: BlobPart, { bytes }: BlobIntake): void => {
  if (offset === bytes) return;
  throw mvmError('INVALID_ARGUMENT', `the next part of the upload is at byte ${bytes}, not ${offset}`, {
    rule: bytes,
    received: offset,
  });
};

const demandHash = (said: string, { digest }: BlobIntake): void => {
  if (said === digest) return;
  throw mvmError('INVALID_ARGUMENT', `the bytes of the blob have the hash ${digest}, not ${said}`, {
    said,
    received: digest,
  });
};

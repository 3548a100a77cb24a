/**
 * The blobs of a control plane (`docs/internals/blobs.md`). Owns their files; which blobs there are, and who refers to them, the
 * store says.
 *
 *   1. A blob is in the store only when its file is whole and durable.
 *   2. Keeping a blob and removing files take turns: what is being kept is not removed.
 *   3. A file that the store knows nothing of is removed at the next start.
 */
import { beginBlake3, mvmError, type BlobRef, type ByteSource, type Clock, type Timer } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Logger } from '../logger.ts';
import { blobNotFound } from '../machine/blob.ts';
import type { Store } from '../store/store.ts';
import type { BlobFiles } from './blob-files.ts';
import { BlobIntake } from './blob-intake.ts';

/** What it works with. */
export interface BlobStoreParts {
  readonly store: Store;
  readonly clock: Clock;
  /** @default this control plane keeps no blobs */
  readonly files: BlobFiles | undefined;
  readonly logger: Logger;
}

/** For which job a blob is, and who says so. */
export interface BlobOwner {
  /** Null: for none yet. */
  readonly job: string | null;
  /** Who holds the job; null: whoever does. */
  readonly worker: string | null;
}

/** See the head of this file. */
export class BlobStore {
  readonly #parts: BlobStoreParts;
  #turn: Promise<unknown> = Promise.resolve();
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(parts: BlobStoreParts) {
    this.#parts = parts;
  }

  /** Removes files that the store doesn't know, and begins to forget blobs that nobody refers to. */
  async start(): Promise<void> {
    const { files } = this.#parts;
    if (files === undefined) return;
    for (const hash of await files.list()) await this.#removeUnknown(hash);
    this.#wait();
  }

  /** Keeps all of a source. @throws PAYLOAD_TOO_LARGE, STALE_LEASE, UNAVAILABLE; what the source throws */
  async put(owner: BlobOwner, source: ByteSource): Promise<BlobRef> {
    const intake = await this.begin();
    try {
      for await (const bytes of source) await intake.take(bytes);
      return await this.keep(owner, intake);
    } finally {
      await intake.discard();
    }
  }

  /** Begins a blob, which `keep` ends. */
  async begin(): Promise<BlobIntake> {
    const writer = await this.#files.begin();
    return new BlobIntake(writer, await beginBlake3());
  }

  /** Keeps what was taken in. @throws STALE_LEASE, UNAVAILABLE */
  keep({ job, worker }: BlobOwner, intake: BlobIntake): Promise<BlobRef> {
    const { store, clock } = this.#parts;
    return this.#inTurn(async () => {
      const { hash, bytes } = await intake.keep();
      try {
        await store.apply<'keep-blob'>({ type: 'keep-blob', at: clock.wallMs(), hash, bytes, job, worker });
      } catch (error) {
        // When the store can't be asked either, the next start removes it.
        await this.#removeUnknown(hash).catch(() => undefined);
        throw error;
      }
      return { hash, bytes };
    });
  }

  /** Has a job refer to a blob. @returns its length @throws BLOB_NOT_FOUND, STALE_LEASE */
  async refer({ job, worker }: BlobOwner, hash: string): Promise<number> {
    const { store, clock } = this.#parts;
    const command = { type: 'keep-blob', at: clock.wallMs(), hash, bytes: null, job, worker } as const;
    const { bytes } = await store.apply<'keep-blob'>(command);
    return bytes;
  }

  /** The length of a blob. @throws BLOB_NOT_FOUND */
  async bytes(hash: string): Promise<number> {
    const { bytes } = await this.#parts.store.read<'blob'>({ type: 'blob', hash });
    if (bytes === null || !this.#files.has(hash)) throw blobNotFound(hash);
    return bytes;
  }

  /** Bytes of a blob, from `from` up to, not including, `to`. */
  read(hash: string, from: number, to: number): ByteSource {
    return this.#files.read(hash, from, to);
  }

  /** Waits for what is under way. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#turn;
  }

  /** A file that the store doesn't know is nobody's. */
  async #removeUnknown(hash: string): Promise<void> {
    const { bytes } = await this.#parts.store.read<'blob'>({ type: 'blob', hash });
    if (bytes === null) await this.#files.remove([hash]);
  }

  get #files(): BlobFiles {
    const { files } = this.#parts;
    if (files) return files;
    throw mvmError('UNAVAILABLE', 'no blobs are kept here');
  }

  #wait(): void {
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.after(controlLimits.blobSweepMs, () => {
      void this.sweep().finally(() => this.#wait());
    });
  }

  /** Forgets blobs that nobody refers to, and removes their files. @returns how many */
  async sweep(): Promise<number> {
    const { store, clock, logger } = this.#parts;
    try {
      return await this.#inTurn(async () => {
        const at = clock.wallMs();
        const before = at - controlLimits.blobUnreferencedMs;
        const limit = controlLimits.blobSweepCount;
        const { hashes } = await store.apply<'drop-blobs'>({ type: 'drop-blobs', at, before, limit });
        await this.#files.remove(hashes);
        return hashes.length;
      });
    } catch (error) {
      logger.warn({ err: error }, 'blobs that nobody refers to could not be removed: trying again');
      return 0;
    }
  }

  /** Rule 2. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

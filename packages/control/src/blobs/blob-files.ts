/** Where the bytes of blobs are, as a port: a folder (`adapters/blob-folder.ts`). Which blobs there are, the store says. */
import type { ByteSource } from '@mvm-ci/protocol';

/** A blob that is being written. It has no name yet, and nobody can read it. */
export interface BlobWriter {
  /** Resolves when there is room for more; calls follow one another. @throws UNAVAILABLE when the disk refuses it */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes what was written durable and gives it its name; what had that name had the same bytes. */
  keep(hash: string): Promise<void>;
  /** Leaves nothing of it. Idempotent, and legal after `keep`. */
  discard(): Promise<void>;
}

/** See the head of this file. */
export interface BlobFiles {
  begin(): Promise<BlobWriter>;
  /** Bytes from `from` up to, not including, `to`. */
  read(hash: string, from: number, to: number): ByteSource;
  has(hash: string): boolean;
  /** Removes those that are there. What reads them reads on. */
  remove(hashes: readonly string[]): Promise<void>;
  list(): Promise<readonly string[]>;
}

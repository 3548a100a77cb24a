import type { BlobRef } from '../journal/answer.ts';

/** Bytes as they come. */
export type ByteSource = AsyncIterable<Uint8Array>;

/** A blob that is being read. */
export interface OpenBlob {
  readonly source: ByteSource;
}

/** Where the blobs of jobs are kept, as those see it who perform the requests of workflows. */
export interface BlobPort {
  /**
   * Keeps all of `source` as a blob of the job. It is durable when this resolves; when it rejects, nothing is left of it.
   *
   * @throws PAYLOAD_TOO_LARGE, STALE_LEASE, CONNECTION_LOST; what the source throws
   */
  put(job: string, source: ByteSource, options: { readonly signal: AbortSignal }): Promise<BlobRef>;
  /** Opens a blob for a job, which refers to it from now on. @throws BLOB_NOT_FOUND, STALE_LEASE */
  open(job: string, hash: string, options: { readonly signal: AbortSignal }): Promise<OpenBlob>;
}

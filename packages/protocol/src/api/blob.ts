/** Blobs in pieces: how a worker sends and reads bodies that are too large for a journal (`docs/internals/blobs.md`). */
import { z } from 'zod';
import type { BlobRef } from '../journal/answer.ts';
import { idSchema } from '../job.ts';
import { limits } from '../limits.ts';
import { bytesSchema } from '../wire.ts';

/** The next bytes of an upload. A part that was taken already is answered as it was the first time. */
export interface BlobPart {
  /** The job that the blob is kept for, which the sender holds. */
  readonly job: string;
  /** Made by the sender, another one for each upload. */
  readonly upload: string;
  /** How many bytes went before. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** BLAKE3 of all bytes, hex, with the last part. @default there is more to come */
  readonly hash?: string | undefined;
  /** Of an operator who speaks for a worker. */
  readonly worker?: string | undefined;
}

/** What has arrived; `blob` is there when it is kept, durably. */
export interface BlobPartAnswer {
  readonly received: number;
  readonly blob: BlobRef | null;
}

/** Which bytes of which blob a worker reads. */
export interface BlobPartRequest {
  readonly job: string;
  readonly hash: string;
  readonly offset: number;
}

/** BLAKE3 of a blob, hex. */
export const blobHashSchema: z.ZodType<string> = z.string().regex(/^[0-9a-f]{64}$/, 'a blob is named by 64 hex digits');

const count = z.number().int().min(0).max(limits.blobBytesMax);

/** Checks a {@link BlobPart}. */
export const blobPartSchema: z.ZodType<BlobPart> = z.object({
  job: idSchema,
  upload: idSchema,
  offset: count,
  bytes: bytesSchema.refine(({ length }) => length <= limits.blobPartBytesMax, 'a part has too many bytes'),
  hash: blobHashSchema.optional(),
  worker: idSchema.optional(),
});

/** Checks a {@link BlobRef}. */
export const blobRefSchema: z.ZodType<BlobRef> = z.object({ hash: blobHashSchema, bytes: count });

/** Checks a {@link BlobPartAnswer}. */
export const blobPartAnswerSchema: z.ZodType<BlobPartAnswer> = z.object({
  received: count,
  blob: blobRefSchema.nullable(),
});

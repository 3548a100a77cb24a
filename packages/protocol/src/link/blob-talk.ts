/** What the ends of an engine link say about one blob: `docs/internals/engine-link.md`, "Blobs". */
import { z } from 'zod';
import { blobHashSchema, blobRefSchema } from '../api/blob.ts';
import { errorRecordSchema } from '../api/error-record.ts';
import type { ErrorRecord } from '../error.ts';
import type { BlobRef } from '../journal/answer.ts';
import { limits } from '../limits.ts';
import { bytesSchema } from '../wire.ts';

export type BlobTalk =
  /** Of the engine: keep the bytes that you ask for from now on. */
  | { readonly is: 'put' }
  /** Of the engine: let me ask for the bytes of this blob. */
  | { readonly is: 'open'; readonly hash: string }
  /** Of the holder: there is such a blob. */
  | { readonly is: 'opened' }
  /** Of whoever takes the bytes: the next ones, please. */
  | { readonly is: 'more' }
  /** The answer to one `more`. */
  | { readonly is: 'bytes'; readonly bytes: Uint8Array; readonly isLast: boolean }
  /** Of the holder: all bytes are kept, durably. */
  | { readonly is: 'kept'; readonly ref: BlobRef }
  /** Of the holder: neither is possible, or any longer. */
  | { readonly is: 'failed'; readonly error: ErrorRecord }
  /** Of the engine: the blob is wanted no more. */
  | { readonly is: 'stop' };

/** Checks a {@link BlobTalk}. */
export const blobTalkSchema: z.ZodType<BlobTalk> = z.discriminatedUnion('is', [
  z.object({ is: z.literal('put') }),
  z.object({ is: z.literal('open'), hash: blobHashSchema }),
  z.object({ is: z.literal('opened') }),
  z.object({ is: z.literal('more') }),
  z.object({
    is: z.literal('bytes'),
    bytes: bytesSchema.refine(({ length }) => length <= limits.blobPartBytesMax, 'a part has too many bytes'),
    isLast: z.boolean(),
  }),
  z.object({ is: z.literal('kept'), ref: blobRefSchema }),
  z.object({ is: z.literal('failed'), error: errorRecordSchema }),
  z.object({ is: z.literal('stop') }),
]);

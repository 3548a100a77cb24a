/**
 * The blobs of a worker's control plane, for an engine in the worker: sent and read in parts, so that no body is ever whole in
 * memory, and each part again until it is answered.
 */
import {
  beginBlake3,
  inParts,
  limits,
  mvmError,
  MvmError,
  RetryLaterError,
  type BlobPart,
  type BlobPartAnswer,
  type BlobPort,
  type BlobRef,
  type ByteSource,
  type OpenBlob,
} from '@mvm-ci/protocol';
import { Backoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { CallOptions, ControlPlane } from './control-plane.ts';
import type { Random } from './random.ts';

/** What it works with. */
export interface BlobPortOptions {
  readonly controlPlane: Pick<ControlPlane, 'putBlob' | 'blob'>;
  readonly clock: Clock;
  readonly random: Random;
}

type Ending = Pick<CallOptions, 'signal'>;

/** See the head of this file. */
export const blobPort = (options: BlobPortOptions): BlobPort => ({
  put: (job, source, ending) => upload(options, { job, source }, ending),
  open: async (job, hash, ending): Promise<OpenBlob> => {
    const part = (offset: number): Promise<Uint8Array> =>
      again(options, ending, () => options.controlPlane.blob({ job, hash, offset }, ending));
    return { source: download(await part(0), part) };
  },
});

/** A part that is shorter than a whole one is the last. */
const download = async function* (first: Uint8Array, next: (offset: number) => Promise<Uint8Array>): ByteSource {
  let offset = 0;
  for (let part = first; ; part = await next(offset)) {
    if (part.length > 0) yield part;
    if (part.length < limits.blobPartBytesMax) return;
    offset += part.length;
  }
};

const upload = async (
  options: BlobPortOptions,
  { job, source }: { readonly job: string; readonly source: ByteSource },
  ending: Ending,
): Promise<BlobRef> => {
  const hash = await beginBlake3();
  const id = options.random.bytes(16).toHex();
  let offset = 0;
  const send = async (bytes: Uint8Array, end?: string): Promise<BlobPartAnswer> => {
    const part = { job, upload: id, offset, bytes, hash: end };
    offset += bytes.length;
    return sendPart(options, part, ending);
  };
  // The last part says that it is the last: a body of one part is one message, which a new process of the control plane takes as well.
  let last: Uint8Array = new Uint8Array(0);
  for await (const bytes of inParts(source, limits.blobPartBytesMax)) {
    if (last.length > 0) await send(last);
    hash.update(bytes);
    last = bytes;
  }
  const { blob } = await send(last, hash.digest());
  if (blob) return blob;
  throw mvmError('INTERNAL', 'the control plane took the last part of a blob for another one');
};

const sendPart = async (options: BlobPortOptions, part: BlobPart, ending: Ending): Promise<BlobPartAnswer> => {
  try {
    return await again(options, ending, () => options.controlPlane.putBlob(part, ending));
  } catch (error) {
    if (!(error instanceof MvmError) || error.code !== 'BLOB_NOT_FOUND') throw error;
    throw mvmError('CONNECTION_LOST', 'the upload of the body was cut off: the control plane was started again');
  }
};

const again = async <T>({ clock, random }: BlobPortOptions, { signal }: Ending, send: () => Promise<T>): Promise<T> => {
  const backoff = new Backoff(clock, random);
  for (;;) {
    signal.throwIfAborted();
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof RetryLaterError)) throw error;
      await backoff.wait(signal);
    }
  }
};

/** Blobs: whole ones for those who publish, and parts of them for workers. */
import {
  blobHashSchema,
  blobPartAnswerSchema,
  blobPartSchema,
  blobRefSchema,
  idSchema,
  limits,
  parseAs,
  type ByteSource,
} from '@mvm-ci/protocol';
import { z } from 'zod';
import { controlLimits } from '../limits.ts';
import { bodyOf, noBody, streamBody } from './body-spec.ts';
import { byteRange } from './byte-range.ts';
import { workerOf } from './caller.ts';
import { noSearch, operation, value, type Operation } from './operation.ts';

const nobody = { job: null, worker: null } as const;

const put = operation({
  method: 'POST',
  route: 'blobs',
  access: 'publisher',
  summary: 'Keep the body, however long, as a blob. It is forgotten after a week in which no job refers to it.',
  body: streamBody,
  search: noSearch,
  answers: blobRefSchema,
  run: async ({ core, body }) => value(await core.blobs.put(nobody, body)),
});

const get = operation({
  method: 'GET',
  route: 'blob',
  access: 'publisher',
  summary: 'The bytes of a blob; with `Range`, one range of them.',
  body: noBody,
  search: noSearch,
  answers: 'application/octet-stream',
  run: async ({ core, parameter, header }) => {
    const hash = parseAs(blobHashSchema, parameter, 'the path');
    const bytes = await core.blobs.bytes(hash);
    const range = byteRange(header('range'), bytes);
    const { from, to } = range ?? { from: 0, to: bytes };
    return {
      type: 'stream',
      status: range === undefined ? 200 : 206,
      stream: ReadableStream.from<Uint8Array>(core.blobs.read(hash, from, to)),
      headers: {
        'content-length': String(to - from),
        'accept-ranges': 'bytes',
        etag: `"${hash}"`,
        ...(range && { 'content-range': `bytes ${from}-${to - 1}/${bytes}` }),
      },
    };
  },
});

const putPart = operation({
  method: 'POST',
  route: 'peerBlobPart',
  access: 'worker',
  summary: 'The next part of a blob for a held job; the last one names the hash of all.',
  body: bodyOf(blobPartSchema),
  bodyBytesMax: limits.blobPartBytesMax + controlLimits.callHeadBytesMax,
  search: noSearch,
  answers: blobPartAnswerSchema,
  run: async ({ core, caller, body }) => value(await core.uploads.take(workerOf(caller, body.worker), body)),
});

const getPart = operation({
  method: 'GET',
  route: 'peerBlob',
  access: 'worker',
  summary: 'Bytes of a blob from `offset` on, at most a part, for a held job, which refers to the blob from then on.',
  body: noBody,
  search: z.object({ job: idSchema, offset: z.coerce.number().int().min(0), worker: idSchema.optional() }),
  answers: 'application/octet-stream',
  run: async ({ core, caller, parameter, search }) => {
    const hash = parseAs(blobHashSchema, parameter, 'the path');
    const { job, offset } = search;
    await core.blobs.refer({ job, worker: workerOf(caller, search.worker) }, hash);
    const to = Math.min(await core.blobs.bytes(hash), offset + limits.blobPartBytesMax);
    return { type: 'bytes', bytes: await joined(core.blobs.read(hash, offset, to)) };
  },
});

const joined = async (source: ByteSource): Promise<Uint8Array> => {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
};

/** Those that need no peers. */
export const blobOperations: readonly Operation[] = [put, get];

/** Those of workers. */
export const blobPartOperations: readonly Operation[] = [putPart, getPart];

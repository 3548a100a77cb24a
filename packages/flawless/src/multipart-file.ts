/** Reads the one file of a multipart form (RFC 7578). */
import { Busboy } from '@fastify/busboy';
import { limits, mvmError, type MvmError } from '@mvm-ci/protocol';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/**
 * The bytes of the part `name`, whether it says that it is a file or not: a part without a file name is text to most readers,
 * and public clients send modules so.
 *
 * @throws UNSUPPORTED_MEDIA_TYPE when it is no such form, INVALID_ARGUMENT when it has no such part or is cut off,
 *   PAYLOAD_TOO_LARGE when the file is above `limits.moduleBytesMax`
 */
export const multipartFile = async (request: Request, name: string): Promise<Uint8Array> => {
  const type = request.headers.get('content-type') ?? '';
  if (request.body === null || !/^multipart\/form-data\b.*boundary=/i.test(type)) throw noForm(type, name);
  let found: Buffer | undefined;
  let refusal: MvmError | undefined;
  const form = new Busboy({
    headers: { 'content-type': type },
    isPartAFile: (field) => field === name,
    limits: { fileSize: limits.moduleBytesMax, files: 1, fields: 16, fieldSize: 65_536, parts: 17 },
  });
  form.on('file', (_field, stream) => {
    const pieces: Buffer[] = [];
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('limit', () => {
      refusal = mvmError('PAYLOAD_TOO_LARGE', `a module has at most ${limits.moduleBytesMax} bytes`);
    });
    stream.on('end', () => (found = Buffer.concat(pieces)));
  });
  try {
    await pipeline(Readable.fromWeb(request.body), form);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('INVALID_ARGUMENT', `the form can't be read: ${reason}`);
  }
  if (refusal) throw refusal;
  if (found) return found;
  throw mvmError('INVALID_ARGUMENT', `the form has no part named "${name}"`);
};

const noForm = (type: string, name: string): MvmError =>
  mvmError(
    'UNSUPPORTED_MEDIA_TYPE',
    `a module is uploaded as multipart/form-data with a part "${name}", not ${type === '' ? 'without a content type' : type}`,
  );

import { decodeContent } from '@mvm-ci/net';
import { mvmError } from '@mvm-ci/protocol';
import type { BodyShare } from './body-budget.ts';

/**
 * A request's body, unpacked, never holding more than `bytesMax` and one chunk of it.
 *
 * @throws PAYLOAD_TOO_LARGE when it is longer, UNAVAILABLE when `share` has no room for it, CONNECTION_LOST when it ends early; what `decodeContent` throws
 */
export const readBody = async (request: Request, bytesMax: number, share: BodyShare): Promise<Uint8Array> => {
  const announced = Number(request.headers.get('content-length') ?? Number.NaN);
  if (announced > bytesMax) throw tooLarge(bytesMax, announced);
  if (announced > 0) share.take(announced);
  const bytes = announced >= 0 ? await wholeBody(request) : await chunkedBody(request, bytesMax, share);
  if (bytes.length > bytesMax) throw tooLarge(bytesMax, bytes.length);
  return decodeContent(bytes, request.headers.get('content-encoding'), bytesMax);
};

// With a length the transport has a bound of its own, and reads more cheaply.
const wholeBody = async (request: Request): Promise<Uint8Array> => {
  try {
    return new Uint8Array(await request.arrayBuffer());
  } catch (error) {
    throw cutOff(error);
  }
};

const chunkedBody = async (request: Request, bytesMax: number, share: BodyShare): Promise<Uint8Array> => {
  if (request.body === null) return new Uint8Array();
  const reader: ReadableStreamDefaultReader<Uint8Array> = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const chunk = await nextChunk(reader);
    if (chunk === undefined) return new Uint8Array(Buffer.concat(chunks));
    length += chunk.length;
    try {
      if (length > bytesMax) throw tooLarge(bytesMax, length);
      share.take(chunk.length);
    } catch (error) {
      // What is still to come is refused; whether the sender hears of that is its affair.
      reader.cancel().catch(() => undefined);
      throw error;
    }
    chunks.push(chunk);
  }
};

const nextChunk = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array | undefined> => {
  try {
    return (await reader.read()).value;
  } catch (error) {
    throw cutOff(error);
  }
};

const tooLarge = (bytesMax: number, received: number): Error =>
  mvmError('PAYLOAD_TOO_LARGE', `a body of this route has at most ${bytesMax} bytes, not ${received} or more`, {
    rule: bytesMax,
    received,
  });

const cutOff = (cause: unknown): Error =>
  mvmError('CONNECTION_LOST', 'the request ended before its body did', undefined, { cause });

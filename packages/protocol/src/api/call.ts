/**
 * Calls over a peer stream (`docs/internals/peer-stream.md`): the requests of the API, each one conversation of a frame
 * channel. A request is one message; an answer is one, and the bytes of a large body follow in further ones.
 */
import { z } from 'zod';
import { packPieces } from '../packed-pieces.ts';
import { pack, unpack } from '../packer.ts';
import { parseAs } from '../wire.ts';
import { mvmError } from '../error.ts';
import { routes } from './route.ts';

/** A request, named by its route instead of a path. */
export interface CallRequest {
  readonly method: 'GET' | 'POST';
  readonly route: keyof typeof routes;
  /** The path's parameter. @default '' */
  readonly parameter?: string | undefined;
  readonly search?: Readonly<Record<string, string | number>> | undefined;
  /** What the route takes; bytes where it takes bytes. */
  readonly body?: unknown;
}

/** The beginning of an answer. */
export interface CallAnswer {
  readonly status: number;
  /** What the route answers, or `{ error }`. */
  readonly body: unknown;
  /** The content type of the bytes that follow instead, in messages up to the end. */
  readonly follows: string | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

const isRoute = (text: string): text is keyof typeof routes => Object.hasOwn(routes, text);

const requestSchema = z.tuple([
  z.enum(['GET', 'POST']),
  z.string().refine(isRoute, 'the name of a route'),
  z.string(),
  z.record(z.string(), z.union([z.string(), z.number()])).nullable(),
  z.unknown(),
]);

const answerSchema = z.tuple([
  z.number().int(),
  z.unknown(),
  z.string().nullable(),
  z.record(z.string(), z.string()).nullable(),
]);

/** A request as a message. */
export const encodeCall = ({ method, route, parameter = '', search, body }: CallRequest): Uint8Array =>
  pack([method, route, parameter, search ?? null, body]);

/** The same in pieces of about `pieceBytes`, to be joined, so that a long request blocks nobody. */
export const encodeCallInPieces = (request: CallRequest, pieceBytes: number): Iterable<Uint8Array> => {
  const { method, route, parameter = '', search, body } = request;
  return packPieces([method, route, parameter, search ?? null, body], pieceBytes);
};

/** The request in a message. @throws INVALID_JSON, INVALID_ARGUMENT */
export const decodeCall = (message: Uint8Array): CallRequest => {
  const [method, route, parameter, search, body] = parseAs(requestSchema, unpacked(message, 'a call'), 'a call');
  return { method, route, parameter, search: search ?? {}, body };
};

/** The beginning of an answer as a message. */
export const encodeCallAnswer = ({ status, body, follows, headers }: CallAnswer): Uint8Array =>
  pack([status, body, follows ?? null, headers ?? null]);

/** The beginning of an answer. @throws INVALID_JSON, INVALID_ARGUMENT */
export const decodeCallAnswer = (message: Uint8Array): CallAnswer => {
  const what = 'the answer to a call';
  const [status, body, follows, headers] = parseAs(answerSchema, unpacked(message, what), what);
  return { status, body, follows: follows ?? undefined, headers: headers ?? undefined };
};

const unpacked = (message: Uint8Array, what: string): unknown => {
  try {
    return unpack(message);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('INVALID_JSON', `${what} (${message.length} bytes) is not MessagePack: ${reason}`);
  }
};

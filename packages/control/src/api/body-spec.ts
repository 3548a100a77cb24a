import { mvmError, parseAs } from '@mvm-ci/protocol';
import type { z } from 'zod';

/** How a request's body is read: not at all, as bytes, decoded and checked by a schema, or by the operation while it runs. */
export interface BodySpec<T> {
  readonly mode: 'none' | 'bytes' | 'decoded' | 'stream';
  /** For the description of the API. */
  readonly schema: z.ZodType | undefined;
  readonly parse: (body: unknown) => T;
}

/** The body is not read. */
export const noBody: BodySpec<undefined> = { mode: 'none', schema: undefined, parse: () => undefined };

/** The body is taken as it comes. */
export const rawBody: BodySpec<Uint8Array> = {
  mode: 'bytes',
  schema: undefined,
  parse: (body) => {
    if (body instanceof Uint8Array) return body;
    throw mvmError('INTERNAL', 'a body that should be bytes was decoded');
  },
};

/** The body is JSON or MessagePack and fits `schema`. */
export const bodyOf = <T>(schema: z.ZodType<T>): BodySpec<T> => ({
  mode: 'decoded',
  schema,
  parse: (body) => parseAs(schema, body, 'the body'),
});

/** The body is a stream that stays open. */
export const streamBody: BodySpec<ReadableStream<Uint8Array>> = {
  mode: 'stream',
  schema: undefined,
  parse: (body) => {
    if (body instanceof ReadableStream) return body;
    throw mvmError('INVALID_ARGUMENT', 'this route takes a body that stays open');
  },
};

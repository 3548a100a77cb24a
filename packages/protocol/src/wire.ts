/**
 * How values become HTTP bodies. Every route speaks two encodings, chosen by `Content-Type` and `Accept`:
 * `application/json`, with byte strings in base64, and `application/msgpack`, with byte strings as they are.
 */
import { z } from 'zod';
import { mvmError, errorFromRecord, type ErrorRecord, type MvmError } from './error.ts';
import { pack, unpack } from './packer.ts';

/** The two body encodings. */
export type BodyType = 'application/json' | 'application/msgpack';

/** Bytes: as they are in MessagePack, base64 (RFC 4648 section 4) in JSON. */
export const bytesSchema: z.ZodType<Uint8Array> = z.union([
  z.instanceof(Uint8Array),
  z.base64().transform((text) => Uint8Array.fromBase64(text)),
]);

/** The encoding that a header names; JSON unless it names MessagePack. */
export const bodyTypeOf = (header: string | null | undefined): BodyType =>
  header?.includes('application/msgpack') === true ? 'application/msgpack' : 'application/json';

/** The body for `value`. */
export const encodeBody = (value: unknown, type: BodyType): Uint8Array =>
  type === 'application/msgpack' ? pack(value) : new TextEncoder().encode(JSON.stringify(toJson(value)));

/**
 * The value in `body`.
 *
 * @throws {MvmError} `INVALID_JSON` when the body isn't the encoding that it says.
 */
export const decodeBody = (body: Uint8Array, type: BodyType): unknown => {
  try {
    return type === 'application/msgpack' ? unpack(body) : JSON.parse(strictUtf8.decode(body));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('INVALID_JSON', `the body (${body.length} bytes) is not ${type}: ${reason}`);
  }
};

/**
 * `value`, checked by `schema`.
 *
 * @throws {MvmError} `INVALID_ARGUMENT` with each field that is wrong, the rule, and what came.
 */
export const parseAs = <T>(schema: z.ZodType<T>, value: unknown, what: string): T => {
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const told = issues.slice(0, issuesToldMax).map(sentence);
  const more = issues.length > told.length ? [`and ${issues.length - told.length} more`] : [];
  throw mvmError('INVALID_ARGUMENT', `${what}: ${[...told, ...more].join('; ')}`, {
    issues: issues.map((issue) => ({ field: fieldOf(issue), rule: issue.message, ...receivedPart(issue.input) })),
  });
};

/** The error in a body `{ "error": { code, message, details } }`; a body of another shape becomes `INTERNAL`. */
export const decodeErrorBody = (body: unknown, fallback: string): MvmError => {
  const parsed = errorBodySchema.safeParse(body);
  return errorFromRecord(parsed.success ? parsed.data.error : { code: 'INTERNAL', message: fallback });
};

/** The body of an error answer. */
export const errorBody = (error: ErrorRecord): { readonly error: ErrorRecord } => ({ error });

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });
const errorBodySchema = z.object({
  error: z.object({ code: z.string(), message: z.string(), details: z.unknown().optional() }),
});

/** All of them are in the details. */
const issuesToldMax = 5;

const fieldOf = (issue: z.core.$ZodIssue): string => issue.path.join('.');

const sentence = (issue: z.core.$ZodIssue): string => {
  const field = fieldOf(issue);
  const received = receivedText(issue.input);
  return `${field === '' ? '' : `${field}: `}${issue.message}${received === undefined ? '' : ` (received ${received})`}`;
};

// JSON has no text for NaN and the infinities.
const receivedText = (input: unknown): string | undefined => {
  if (typeof input === 'number') return String(input);
  if (typeof input === 'string' && input.length > receivedCharsMax) return `${input.length} characters`;
  if (Array.isArray(input)) return `${input.length} items`;
  const { received } = receivedPart(input);
  return received === undefined ? undefined : JSON.stringify(received);
};

const receivedCharsMax = 100;

// A long or nested value would drown the rule that it broke.
const receivedPart = (input: unknown): { received?: unknown } =>
  typeof input === 'string' && input.length <= receivedCharsMax
    ? { received: input }
    : typeof input === 'number' || typeof input === 'boolean' || input === null
      ? { received: input }
      : {};

const toJson = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return new Uint8Array(value).toBase64();
  if (Array.isArray(value)) return value.map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, toJson(part)]));
};

/**
 * Bodies of requests and responses: read once, whole. There are no streams in a workflow: an answer is journalled
 * before the workflow sees it, so it is complete.
 */
import type { Body } from '../activation.ts';
import { fromBase64 } from '../prelude/base64.ts';
import { bytesOf, decodeUtf8, encodeUtf8, type BytesLike } from '../prelude/text-codec.ts';
import { URLSearchParams } from '../url/url-search-params.ts';

/** What a body may be made of. */
export type BodySource = string | URLSearchParams | BytesLike | null | undefined;

/** A body as it crosses to the host, and the type that its source implies. */
export interface TypedBody {
  readonly body: Body;
  readonly contentType: string | null;
}

let extraBody: ((source: unknown) => TypedBody | undefined) | undefined;

/** Has `read` make bodies of what this file doesn't know. */
export const alsoTake = (read: (source: unknown) => TypedBody | undefined): void => {
  extraBody = read;
};

/**
 * The body for `source`.
 *
 * @throws {TypeError} for streams and objects: send text, search parameters, a form, a blob or bytes.
 */
export const bodyFrom = (source: BodySource): TypedBody => {
  if (source === null || source === undefined) return { body: null, contentType: null };
  if (typeof source === 'string') {
    return { body: { utf8: source.toWellFormed() }, contentType: 'text/plain;charset=UTF-8' };
  }
  if (source instanceof URLSearchParams) {
    return { body: { utf8: source.toString() }, contentType: 'application/x-www-form-urlencoded;charset=UTF-8' };
  }
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) {
    return { body: { bytes: bytesOf(source).slice() }, contentType: null };
  }
  const extra = extraBody?.(source);
  if (extra) return extra;
  const received = Object.prototype.toString.call(source);
  throw new TypeError(
    `a body is text, URLSearchParams, FormData, a Blob or bytes (encode objects with JSON.stringify): received ${received}`,
  );
};

/** The reading half of `Request` and `Response` (Fetch standard, section 5.3). */
export class BodyReader {
  #body: Body;
  #isUsed = false;
  #elsewhere: string | undefined;

  constructor(body: Body) {
    this.#body = body;
  }

  /** Whether it had a body at its beginning. */
  static hasBody(reader: BodyReader): boolean {
    return reader.#isUsed || reader.#body !== null;
  }

  get bodyUsed(): boolean {
    return this.#isUsed;
  }

  /** @throws {TypeError} when the body was read before. */
  text(): Promise<string> {
    return Promise.try(() => textOf(this.#take()));
  }

  /** @throws {SyntaxError} when the text isn't JSON. */
  async json(): Promise<unknown> {
    const value: unknown = JSON.parse(await this.text());
    return value;
  }

  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return Promise.try(() => bytesIn(this.#take()));
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  /** The body for a copy that is read by itself. */
  protected unread(): Body {
    if (this.#isUsed) throw new TypeError('the body was read already: clone before reading');
    return this.#body;
  }

  /** The body can't be read here, and why. */
  protected elsewhere(reason: string): void {
    this.#elsewhere = reason;
  }

  #take(): Body {
    if (this.#elsewhere !== undefined) throw new TypeError(this.#elsewhere);
    const body = this.unread();
    this.#isUsed = body !== null;
    this.#body = null;
    return body;
  }
}

const textOf = (body: Body): string => {
  if (body === null) return '';
  const text = 'utf8' in body ? body.utf8 : decodeUtf8(sharedBytes(body)).text;
  return text.startsWith('\ufeff') ? text.slice(1) : text;
};

const bytesIn = (body: Body): Uint8Array<ArrayBuffer> => {
  if (body === null) return new Uint8Array(0);
  // Whoever reads them may change them, and a clone or a second try has the same body.
  return 'utf8' in body ? encodeUtf8(body.utf8) : 'bytes' in body ? body.bytes.slice() : fromBase64(body.base64);
};

const sharedBytes = (body: { readonly bytes: Uint8Array } | { readonly base64: string }): Uint8Array =>
  'bytes' in body ? body.bytes : fromBase64(body.base64);

/**
 * The second import of a bundle whose author speaks of one of these globals; the others do without, since every guest holds a copy of
 * what its script brings along: `Blob`, `File`, `FormData`, the `body` of requests and responses as a stream, `crypto.subtle`, and base64 and hex of
 * `Uint8Array`.
 */
import { BodyStream } from './http/body-stream.ts';
import { Blob, File } from './http/blob.ts';
import { alsoTake, BodyReader, type TypedBody } from './http/body.ts';
import { FormData, multipart } from './http/form-data.ts';
import type { Request } from './http/request.ts';
import type { Response } from './http/response.ts';
import { byteMethods, bytesOfBase64, bytesOfHex } from './prelude/byte-text.ts';
import { define } from './prelude/prelude.ts';
import { CryptoKey, SubtleCrypto } from './prelude/subtle.ts';

const bodyOf = (source: unknown): TypedBody | undefined => {
  if (source instanceof FormData) {
    const { bytes, contentType } = multipart(source);
    return { body: { bytes }, contentType };
  }
  if (!(source instanceof Blob)) return undefined;
  return { body: { bytes: Blob.bytesOf(source) }, contentType: source.type === '' ? null : source.type };
};

alsoTake(bodyOf);
define(BodyReader.prototype, {
  async blob(this: Request | Response): Promise<Blob> {
    const type = this.headers.get('content-type') ?? '';
    return new Blob([await this.bytes()], { type });
  },
});
const bodies = new WeakMap<Request | Response, BodyStream>();

/** Made when it is asked for; null where there is no body. */
const streamOf = (carrier: Request | Response): BodyStream | null => {
  const known = bodies.get(carrier);
  if (known || !BodyReader.hasBody(carrier)) return known ?? null;
  const stream = new BodyStream(() => carrier.bytes());
  bodies.set(carrier, stream);
  return stream;
};

Object.defineProperty(BodyReader.prototype, 'body', {
  get(this: Request | Response) {
    return streamOf(this);
  },
  configurable: true,
});
// There is no `ReadableStream` to make: a package that finds one may send bodies so, which come from nowhere here.
define(globalThis, { Blob, File, FormData, CryptoKey });
define(crypto, { subtle: new SubtleCrypto() });
define(Uint8Array, { fromBase64: bytesOfBase64, fromHex: bytesOfHex });
define(Uint8Array.prototype, byteMethods);

/** `Response` (Fetch standard, section 5.5). */
import type { Body, Fetched } from '../activation.ts';
import { bodyFrom, BodyReader, type BodySource } from './body.ts';
import type { BlobRef } from './fetch-extras.ts';
import { Headers, type HeadersSource } from './headers.ts';

/** Options of the constructor. */
export interface ResponseOptions {
  readonly status?: number | undefined;
  readonly statusText?: string | undefined;
  readonly headers?: HeadersSource | undefined;
}

/** Fetch standard, section 2.2.3. */
const bodilessStatuses: ReadonlySet<number> = new Set([204, 205, 304]);
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** A body that crosses the constructor as it is. */
class Carried {
  readonly contentType = null;
  readonly body: Body;

  constructor(body: Body) {
    this.body = body;
  }
}

/** See the Fetch standard. */
export class Response extends BodyReader {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly type: string = 'basic';
  #url = '';
  #isRedirected = false;
  #blobRef: BlobRef | null = null;

  /** @throws {RangeError} when the status isn't between 200 and 599 @throws {TypeError} when it has a body and may have none */
  constructor(source?: BodySource | Carried, { status = 200, statusText = '', headers }: ResponseOptions = {}) {
    const { body, contentType } = source instanceof Carried ? source : bodyFrom(source);
    super(body);
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new RangeError(`a response's status is between 200 and 599: received ${status}`);
    }
    if (source !== null && source !== undefined && !(source instanceof Carried) && bodilessStatuses.has(status))
      throw new TypeError(`a response with status ${status} has no body`);
    this.status = status;
    this.statusText = statusText;
    this.headers = new Headers(headers);
    if (contentType !== null && !this.headers.has('content-type')) this.headers.set('content-type', contentType);
  }

  /** The response that the host brought. */
  static fetched({ status, statusText, headers, body, url, redirected, blob }: Fetched): Response {
    const response = new Response(new Carried(body), { status, statusText, headers });
    response.#url = url;
    response.#isRedirected = redirected;
    if (blob) response.#keepIn({ hash: blob.hash, size: blob.bytes, type: response.headers.get('content-type') ?? '' });
    return response;
  }

  /** A response with `value` as JSON. */
  static json(value: unknown, options: ResponseOptions = {}): Response {
    const response = new Response(JSON.stringify(value), options);
    if (!new Headers(options.headers).has('content-type')) response.headers.set('content-type', 'application/json');
    return response;
  }

  /** A response that leads to `url`. @throws {TypeError} for no URL @throws {RangeError} for a status that leads nowhere */
  static redirect(url: string | URL, status = 302): Response {
    if (!redirectStatuses.has(status))
      throw new RangeError(`a redirect has one of ${[...redirectStatuses].join(', ')}: received ${status}`);
    return new Response(null, { status, headers: { location: new URL(url).href } });
  }

  get [Symbol.toStringTag](): string {
    return 'Response';
  }

  get ok(): boolean {
    return this.status >= 200 && this.status <= 299;
  }

  /** The URL of the answer, after redirects. */
  get url(): string {
    return this.#url;
  }

  get redirected(): boolean {
    return this.#isRedirected;
  }

  /** Where the body is, when it was fetched into a blob; else null. */
  get blobRef(): BlobRef | null {
    return this.#blobRef;
  }

  #keepIn(blobRef: BlobRef): void {
    this.#blobRef = blobRef;
    this.elsewhere(`the body is in the blob ${blobRef.hash}: fetch without { into: 'blob' } to read it here`);
  }

  /** The same response, to be read by itself. */
  clone(): Response {
    const { status, statusText, headers } = this;
    const copy = new Response(new Carried(this.unread()), { status, statusText, headers });
    copy.#url = this.#url;
    copy.#isRedirected = this.#isRedirected;
    if (this.#blobRef) copy.#keepIn(this.#blobRef);
    return copy;
  }
}

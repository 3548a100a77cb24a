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

  /** @throws {RangeError} when the status isn't between 200 and 599. */
  constructor(source?: BodySource | Carried, { status = 200, statusText = '', headers }: ResponseOptions = {}) {
    const { body, contentType } = source instanceof Carried ? source : bodyFrom(source);
    super(body);
    if (!Number.isInteger(status) || status < 200 || status > 599) {
      throw new RangeError(`a response's status is between 200 and 599: received ${status}`);
    }
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

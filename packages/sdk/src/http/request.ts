/** `Request` (Fetch standard, section 5.4) as far as a workflow's `fetch` sends it. */
import type { Abortable } from '../call.ts';
import type { FetchEffect, RedirectMode } from '../intent.ts';
import { limits } from '../limits.ts';
import { parseUrl, urlText } from '../url/url-record.ts';
import { bodyFrom, BodyReader, type BodySource, type TypedBody } from './body.ts';
import type { FetchExtras } from './fetch-extras.ts';
import { Headers, type HeadersSource } from './headers.ts';

/** Options of `fetch` and `Request`. */
export interface RequestOptions extends FetchExtras {
  readonly method?: string | undefined;
  readonly headers?: HeadersSource | undefined;
  readonly body?: BodySource;
  readonly redirect?: RedirectMode | undefined;
  readonly signal?: Abortable | null | undefined;
}

/** What names the resource. */
export type RequestSource = string | Request | { toString(): string };

/** See the Fetch standard. */
export class Request extends BodyReader {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly redirect: RedirectMode;
  readonly signal: Abortable | null;
  readonly idempotent: boolean | null;
  readonly idempotencyKey: string | null;
  readonly timeoutMs: number;

  /** @throws {TypeError} when the URL, the method, a header or an option isn't valid. */
  constructor(source: RequestSource, options: RequestOptions = {}) {
    const origin = source instanceof Request ? source : undefined;
    const { body, contentType } = chooseBody(origin, options);
    super(body);
    this.url = origin ? origin.url : httpUrl(String(source));
    this.method = normalMethod(options.method ?? origin?.method ?? 'GET');
    if (body !== null && /^(GET|HEAD)$/.test(this.method)) throw new TypeError(`a ${this.method} request has no body`);
    this.headers = new Headers(options.headers ?? origin?.headers);
    if (contentType !== null && !this.headers.has('content-type')) this.headers.set('content-type', contentType);
    this.redirect = redirectMode(options.redirect ?? origin?.redirect ?? 'follow');
    this.signal = options.signal === undefined ? (origin?.signal ?? null) : options.signal;
    this.idempotent = options.idempotent ?? origin?.idempotent ?? null;
    this.idempotencyKey = keyOf(this.headers, options.idempotencyKey ?? origin?.idempotencyKey);
    this.timeoutMs = timeoutOf(options.timeoutMs ?? origin?.timeoutMs ?? limits.fetchTimeoutMsDefault);
  }

  /** The same request, to be sent or read by itself. */
  clone(): Request {
    return new Request(this);
  }

  /** What the host is asked to do; takes the body. */
  toEffect(): FetchEffect {
    return {
      type: 'fetch',
      method: this.method,
      url: this.url,
      headers: [...this.headers],
      body: this.unread(),
      redirect: this.redirect,
      timeoutMs: this.timeoutMs,
      idempotent: this.idempotent,
      key: this.idempotencyKey,
    };
  }

  /** The body of `request`, for another one. */
  static bodyOf(request: Request): TypedBody {
    return { body: request.unread(), contentType: null };
  }
}

const chooseBody = (origin: Request | undefined, { body }: RequestOptions): TypedBody =>
  origin && (body === undefined || body === null) ? Request.bodyOf(origin) : bodyFrom(body);

// A fragment is the client's own affair (RFC 9110 section 4.2.5): it isn't sent, and would only blur equal requests.
const httpUrl = (text: string): string => {
  const url = parseUrl(text);
  if (!url) throw new TypeError(`fetch takes an absolute URL: received "${text}"`);
  if (url.scheme !== 'http' && url.scheme !== 'https') {
    throw new TypeError(`fetch takes an http or https URL: received "${text}"`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new TypeError('fetch takes no credentials in a URL: send an Authorization header');
  }
  return urlText({ ...url, fragment: null });
};

const normalMethod = (method: string): string => {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(method)) throw new TypeError(`not a method: "${method}"`);
  if (/^(connect|trace|track)$/i.test(method)) throw new TypeError(`fetch can't send ${method.toUpperCase()}`);
  return /^(delete|get|head|options|post|put|patch)$/i.test(method) ? method.toUpperCase() : method;
};

const redirectMode = (mode: string): RedirectMode => {
  if (mode === 'follow' || mode === 'manual' || mode === 'error') return mode;
  throw new TypeError(`redirect is "follow", "manual" or "error": received "${mode}"`);
};

// The header that the author wrote and the option mean the same thing.
const keyOf = (headers: Headers, option: string | null | undefined): string | null => {
  const key = option ?? headers.get('idempotency-key');
  headers.delete('idempotency-key');
  return key;
};

const timeoutOf = (ms: number): number => {
  if (Number.isInteger(ms) && ms > 0) return ms;
  throw new TypeError(`timeoutMs is a whole number of milliseconds above 0: received ${ms}`);
};

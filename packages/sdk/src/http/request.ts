/** `Request` (Fetch standard, section 5.4) as far as a workflow's `fetch` sends it. */
import type { Abortable } from '../call.ts';
import type { FetchEffect, RedirectMode } from '../intent.ts';
import { limits } from '../limits.ts';
import { isPlainHttpUrl } from '../url/plain-url.ts';
import { parseUrl, urlText } from '../url/url-record.ts';
import { bodyFrom, BodyReader, type BodySource, type TypedBody } from './body.ts';
import type { BlobBody, FetchExtras } from './fetch-extras.ts';
import { Headers, type HeadersSource } from './headers.ts';

/** Options of `fetch` and `Request`. */
export interface RequestOptions extends FetchExtras {
  readonly method?: string | undefined;
  readonly headers?: HeadersSource | undefined;
  readonly body?: BodySource | BlobBody;
  readonly redirect?: RedirectMode | undefined;
  readonly signal?: Abortable | null | undefined;
}

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
  readonly into: 'blob' | undefined;
  readonly #bodyBlob: string | undefined;

  /**
   * @param source - an absolute URL as text or `URL`, or a request whose settings are the defaults.
   * @throws {TypeError} when the URL, the method, a header or an option isn't valid.
   */
  constructor(source: unknown, options: RequestOptions = {}) {
    const origin = source instanceof Request ? source : undefined;
    const bodyBlob = blobOf(origin ? origin.#bodyBlob : undefined, options);
    const { body, contentType } = chooseBody(origin, options);
    const settings = settingsOf(origin, options);
    super(body);
    this.url = origin ? origin.url : httpUrl(String(source));
    this.method = normalMethod(settings.method);
    if ((body !== null || bodyBlob !== undefined) && /^(GET|HEAD)$/.test(this.method))
      throw new TypeError(`a ${this.method} request has no body`);
    this.headers = new Headers(settings.headers);
    if (contentType !== null && !this.headers.has('content-type')) this.headers.set('content-type', contentType);
    this.redirect = redirectMode(settings.redirect);
    this.signal = settings.signal;
    this.idempotent = settings.idempotent;
    this.idempotencyKey = keyOf(this.headers, settings.idempotencyKey);
    this.timeoutMs = timeoutOf(settings.timeoutMs);
    this.into = intoOf(settings.into);
    this.#bodyBlob = bodyBlob;
  }

  get [Symbol.toStringTag](): string {
    return 'Request';
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
      headers: Headers.isEmpty(this.headers) ? [] : [...this.headers],
      body: this.unread(),
      redirect: this.redirect,
      timeoutMs: this.timeoutMs,
      idempotent: this.idempotent,
      key: this.idempotencyKey,
      ...(this.into && { into: this.into }),
      ...(this.#bodyBlob !== undefined && { bodyBlob: this.#bodyBlob }),
    };
  }

  /** The body of `request`, for another one. */
  static bodyOf(request: Request): TypedBody {
    return { body: request.unread(), contentType: null };
  }
}

/** What `new Request(url).toEffect()` is for a URL that stays as it is. */
export const plainEffect = (url: string): FetchEffect => ({
  type: 'fetch',
  method: 'GET',
  url,
  headers: [],
  body: null,
  redirect: 'follow',
  timeoutMs: limits.fetchTimeoutMsDefault,
  idempotent: null,
  key: null,
});

type Settings = Omit<
  Request,
  keyof BodyReader | 'url' | 'clone' | typeof Symbol.toStringTag | 'toEffect' | 'headers'
> & {
  readonly headers: HeadersSource | null;
};

const settingsDefault: Settings = {
  method: 'GET',
  headers: null,
  redirect: 'follow',
  signal: null,
  idempotent: null,
  idempotencyKey: null,
  timeoutMs: limits.fetchTimeoutMsDefault,
  into: undefined,
};

/** The options that are given, over those of `origin`, over the defaults. */
const settingsOf = (origin: Request | undefined, options: RequestOptions): Settings => {
  const base = origin ?? settingsDefault;
  const { method, headers, redirect, signal, idempotent, idempotencyKey, timeoutMs, into } = options;
  return {
    method: method === undefined ? base.method : method,
    headers: headers === undefined ? base.headers : headers,
    redirect: redirect === undefined ? base.redirect : redirect,
    signal: signal === undefined ? base.signal : signal,
    idempotent: idempotent === undefined ? base.idempotent : idempotent,
    idempotencyKey: idempotencyKey === undefined ? base.idempotencyKey : idempotencyKey,
    timeoutMs: timeoutMs === undefined ? base.timeoutMs : timeoutMs,
    into: into === undefined ? base.into : into,
  };
};

const chooseBody = (origin: Request | undefined, { body }: RequestOptions): TypedBody =>
  isBlobBody(body)
    ? { body: null, contentType: null }
    : origin && (body === undefined || body === null)
      ? Request.bodyOf(origin)
      : bodyFrom(body);

const isBlobBody = (body: RequestOptions['body']): body is BlobBody =>
  typeof body === 'object' && body !== null && 'blob' in body;

/** The blob that is the body: another body takes its place. */
const blobOf = (inherited: string | undefined, { body }: RequestOptions): string | undefined => {
  if (body === undefined || body === null) return inherited;
  if (!isBlobBody(body)) return undefined;
  const hash = typeof body.blob === 'string' ? body.blob : body.blob.hash;
  if (/^[0-9a-f]{64}$/.test(hash)) return hash;
  throw new TypeError(`a blob is named by 64 hex digits: received ${JSON.stringify(hash)}`);
};

// A fragment is the client's own affair (RFC 9110 section 4.2.5): it isn't sent, and would only blur equal requests.
const httpUrl = (text: string): string => {
  if (isPlainHttpUrl(text)) return text;
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

const usualMethods: ReadonlySet<string> = new Set(['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS']);

const normalMethod = (method: string): string => {
  if (usualMethods.has(method)) return method;
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
  if (Headers.isEmpty(headers)) return option ?? null;
  const key = option ?? headers.get('idempotency-key');
  headers.delete('idempotency-key');
  return key;
};

const intoOf = (into: string | undefined): 'blob' | undefined => {
  if (into === undefined || into === 'blob') return into;
  throw new TypeError(`into is "blob": received "${into}"`);
};

const timeoutOf = (ms: number): number => {
  if (Number.isInteger(ms) && ms > 0) return ms;
  throw new TypeError(`timeoutMs is a whole number of milliseconds above 0: received ${ms}`);
};

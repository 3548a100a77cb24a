/**
 * Requests to one control plane over HTTP: bodies as JSON, answers checked by a schema, refusals as MvmErrors.
 *
 *   1. A call that is marked `repeatable` is sent again when the connection fails, also in the middle of its answer; any other is
 *      sent once.
 *   2. A refusal is an answer: it is never sent again here.
 */
import { decodeErrorBody, MvmError, mvmError, parseAs } from '@mvm-ci/protocol';
import type { ZodType } from 'zod';
import { clientLimits } from './limits.ts';

/** A request as it is sent: what `fetch` takes. */
interface SentRequest {
  readonly method: 'GET' | 'POST';
  readonly headers: Record<string, string>;
  readonly body?: SentBody;
  readonly duplex?: 'half';
  readonly signal?: AbortSignal;
}

/** The part of a `Response` that the client reads. */
export interface Answer {
  readonly url: string;
  readonly status: number;
  readonly ok: boolean;
  readonly headers: { readonly get: (name: string) => string | null };
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** The part of `fetch` that the client uses. */
export type Fetch = (url: string, init: SentRequest) => Promise<Answer>;

/** What a request takes besides its path. */
export interface RequestOptions {
  readonly method?: 'GET' | 'POST';
  /** Sent as JSON; bytes as they are, and a stream of them as they come. */
  readonly body?: unknown;
  /** JSON that is text already, instead of `body`. */
  readonly json?: string;
  readonly signal?: AbortSignal | undefined;
  /** Whether sending it twice does no harm. @default true */
  readonly repeatable?: boolean;
  readonly accept?: string;
  /** Further ones. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** One control plane, reached over HTTP. */
export class Connection {
  readonly url: string;
  readonly #token: string | undefined;
  readonly #fetch: Fetch;
  #hasAnswered = false;

  constructor(options: { readonly url: string; readonly token?: string | undefined; readonly fetch: Fetch }) {
    this.url = checkedUrl(options.url);
    this.#token = options.token;
    this.#fetch = options.fetch;
  }

  /** The answer of a request, checked. @throws {MvmError} the control plane's refusal, CONNECTION_LOST or CANCELLED */
  async call<T>(path: string, schema: ZodType<T>, options: RequestOptions = {}): Promise<T> {
    return (await this.callWithHeaders(path, schema, options)).value;
  }

  /** The same, with the headers of the answer. */
  callWithHeaders<T>(
    path: string,
    schema: ZodType<T>,
    options: RequestOptions = {},
  ): Promise<{ readonly value: T; readonly headers: Answer['headers'] }> {
    return this.#tried(options, async () => {
      const response = await this.#send(path, options);
      const body = jsonOf(response, await this.#textOf(response, path, options));
      return { value: this.#checked(body, schema, path), headers: response.headers };
    });
  }

  /** The response of a request, when it is no refusal. Its body is the caller's to read, who hears by himself when it breaks off. */
  open(path: string, options: RequestOptions = {}): Promise<Answer> {
    return this.#tried(options, () => this.#send(path, options));
  }

  async #tried<T>(options: RequestOptions, attempt: () => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await attempt();
      } catch (error) {
        if (!this.#isWorthAnother(error, tried, options)) throw error;
        await pause(clientLimits.retryMs * 2 ** (tried - 1), options.signal);
      }
    }
  }

  #isWorthAnother(error: unknown, tried: number, { repeatable = true, signal }: RequestOptions): boolean {
    if (!repeatable || signal?.aborted || !(error instanceof MvmError)) return false;
    const isEnding = error.code === 'UNAVAILABLE' && this.#hasAnswered;
    const isLost = error.code === 'CONNECTION_LOST';
    const triesMax = this.#hasAnswered ? clientLimits.triesMaxOnceThere : clientLimits.triesMax;
    return (isLost || isEnding) && tried < triesMax;
  }

  #checked<T>(body: unknown, schema: ZodType<T>, path: string): T {
    try {
      return parseAs(schema, body, `the answer of ${path}`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw mvmError('INTERNAL', `${this.url} does not answer like a control plane of mvm-ci: ${reason}`);
    }
  }

  async #send(path: string, options: RequestOptions): Promise<Answer> {
    const response = await this.#reach(path, options);
    this.#hasAnswered ||= response.ok;
    if (response.ok) return response;
    const fallback = `${this.url} answered ${path} with status ${response.status}`;
    throw decodeErrorBody(parsed(await this.#textOf(response, path, options)), fallback);
  }

  async #textOf(response: Answer, path: string, { signal }: RequestOptions): Promise<string> {
    try {
      return await response.text();
    } catch (error) {
      throw this.#failure(error, path, signal);
    }
  }

  async #reach(
    path: string,
    { method = 'GET', body, json, signal, accept, headers: more }: RequestOptions,
  ): Promise<Answer> {
    const headers: Record<string, string> = { accept: accept ?? 'application/json', ...more };
    if (this.#token !== undefined) headers['authorization'] = `Bearer ${this.#token}`;
    const sent = json ?? (body === undefined ? undefined : encoded(body));
    if (sent !== undefined) headers['content-type'] = contentType(sent);
    const init = {
      method,
      headers,
      ...(sent !== undefined && { body: sent, duplex: 'half' as const }),
      ...(signal && { signal }),
    };
    try {
      return await this.#fetch(`${this.url}${path}`, init);
    } catch (error) {
      throw this.#failure(error, path, signal);
    }
  }

  #failure(error: unknown, path: string, signal: AbortSignal | undefined): MvmError {
    if (signal?.aborted)
      return mvmError('CANCELLED', `${path} was cancelled by its caller`, undefined, { cause: error });
    // A transport of our own says by itself what is wrong.
    return error instanceof MvmError ? error : unreachable(this.url, error);
  }
}

/** Resolves after `ms`, or as soon as `signal` fires. */
export const pause = async (ms: number, signal: AbortSignal | undefined): Promise<void> => {
  if (signal?.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = (): void => resolve();
  const timer = setTimeout(end, ms);
  signal?.addEventListener('abort', end, { once: true });
  await promise;
  clearTimeout(timer);
  signal?.removeEventListener('abort', end);
};

const protocols: ReadonlySet<string> = new Set(['http:', 'https:', 'iroh+h3:']);

const checkedUrl = (text: string): string => {
  const url = URL.parse(text);
  if (url && protocols.has(url.protocol)) return url.href.replace(/\/+$/, '');
  throw mvmError('INVALID_ARGUMENT', `the control plane's URL begins with http:// or https://, not "${text}"`, {
    received: text,
  });
};

type SentBody = Uint8Array<ArrayBuffer> | ReadableStream | string;

const contentType = (body: SentBody): string =>
  typeof body === 'string' ? 'application/json' : 'application/octet-stream';

const encoded = (body: unknown): SentBody => {
  if (body instanceof ReadableStream) return body;
  return body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body);
};

const jsonOf = (response: Answer, text: string): unknown => {
  const body = parsed(text);
  if (body === undefined)
    throw mvmError('INVALID_JSON', `an answer of ${response.url} is not JSON: ${text.slice(0, 100)}`);
  return body;
};

/** undefined: it is not JSON. */
const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** `fetch` hides the reason in its error's cause. */
const unreachable = (url: string, error: unknown): MvmError => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
  return mvmError('CONNECTION_LOST', `no control plane answers at ${url}: ${reason}`, { url }, { cause: error });
};

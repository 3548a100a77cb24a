/**
 * Requests of workflows. Every failure becomes an answer with a code and a message that names the cause; only an aborted
 * request rejects. The `fetch` is undici's, which Node's own is made of: only its package lets the time limits be set.
 */
import type { Answer, FetchIntent } from '@mvm-ci/protocol';
import { Agent, fetch, Headers, Request, type Response } from 'undici';
import { engineLimits } from '../limits.ts';
import type { EffectPerformer, FetchOrder } from './performer.ts';

/** An intent has a deadline of its own; undici's would end a slow answer after 300 s. */
const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

/** Sends requests over the network of this machine. */
export const systemFetch: EffectPerformer = {
  fetch: async ({ intent, key }: FetchOrder, { signal }): Promise<Answer> => {
    const request = readRequest(intent, key);
    if (!(request instanceof Request)) return request;
    const deadline = AbortSignal.timeout(intent.timeoutMs);
    try {
      const response = await fetch(request, { signal: AbortSignal.any([signal, deadline]), dispatcher });
      return await readResponse(response);
    } catch (error) {
      signal.throwIfAborted();
      return deadline.aborted ? deadlineAnswer(intent) : networkAnswer(intent, error);
    }
  },
};

/** Headers of one connection (RFC 9110 section 7.6.1), and those that `fetch` sets itself. */
const connectionHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** They describe the bytes on the wire; the guest gets the decoded body. */
const wireHeaders: ReadonlySet<string> = new Set(['content-encoding', 'content-length', ...connectionHeaders]);

const readRequest = (intent: FetchIntent, key: string): Request | Answer => {
  const { method, url, body, redirect } = intent;
  if (intent.into !== undefined || intent.bodyBlob !== undefined)
    return errorAnswer('INVALID_ARGUMENT', `${method} ${url} can't be sent: there are no blobs here to read or write`);
  try {
    const { protocol } = new URL(url);
    if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`${protocol} is not http: or https:`);
    const headers = new Headers(
      intent.headers.filter(([name]) => !connectionHeaders.has(name.toLowerCase())).map(pair),
    );
    if (!headers.has('idempotency-key')) headers.set('idempotency-key', key);
    return new Request(url, { method, headers, redirect, ...(body && { body: new Uint8Array(body) }) });
  } catch (error) {
    return errorAnswer('INVALID_ARGUMENT', `${method} ${url} can't be sent: ${reasonOf(error)}`);
  }
};

const pair = ([name, value]: readonly [string, string]): [string, string] => [name, value];

const readResponse = async (response: Response): Promise<Answer> => {
  const body = await readBody(response);
  if (!(body instanceof Uint8Array)) return body;
  const { status, statusText, url, redirected } = response;
  const headers = [...response.headers].filter(([name]) => !wireHeaders.has(name));
  return { type: 'fetched', response: { status, statusText, url, redirected, headers, body } };
};

const readBody = async (response: Response): Promise<Uint8Array | Answer> => {
  const limit = engineLimits.bodyBytesMax;
  const parts: Uint8Array[] = [];
  let length = 0;
  const stream: AsyncIterable<Uint8Array> | null = response.body;
  for await (const part of stream ?? []) {
    length += part.length;
    // Leaving the loop cancels the rest of the body.
    if (length > limit) return tooLong(response, limit, length);
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts, length));
};

const tooLong = (response: Response, limit: number, received: number): Answer => {
  const said = Number(response.headers.get('content-length') ?? 0);
  const length = Math.max(received, response.headers.has('content-encoding') ? 0 : said);
  return errorAnswer(
    'LIMIT_EXCEEDED',
    `the response of ${response.url} has ${length} bytes or more: a workflow may read ${limit}`,
  );
};

const deadlineAnswer = ({ method, url, timeoutMs }: FetchIntent): Answer =>
  errorAnswer('DEADLINE_EXCEEDED', `${method} ${url} did not end within ${timeoutMs} ms`);

const networkAnswer = ({ method, url }: FetchIntent, error: unknown): Answer =>
  errorAnswer('CONNECTION_LOST', `${method} ${url} failed: ${reasonOf(error)}`);

const errorAnswer = (code: string, message: string): Answer => ({ type: 'error', code, message });

/** `fetch failed` says nothing: the cause below it does. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? reasonOf(error.cause) : undefined;
  const text = error.message === '' && 'code' in error ? String(error.code) : error.message;
  return cause === undefined ? text : error.message === 'fetch failed' ? cause : `${text}: ${cause}`;
};

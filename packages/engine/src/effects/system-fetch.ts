/**
 * Requests of workflows. Every failure becomes an answer with a code and a message that names the cause; only an aborted
 * request rejects. The `fetch` is undici's, which Node's own is made of: only its package lets the time limits be set.
 */
import {
  MvmError,
  mvmError,
  type Answer,
  type BlobPort,
  type BlobRef,
  type ByteSource,
  type FetchIntent,
} from '@mvm-ci/protocol';
import { Agent, fetch, Headers, Request, type BodyInit, type Response } from 'undici';
import { engineLimits } from '../limits.ts';
import type { EffectPerformer, FetchOrder } from './performer.ts';

/** An intent has a deadline of its own; undici's would end a slow answer after 300 s. */
const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

/** Sends requests over the network of this machine; large bodies go into `blobs`, or those of the order, and come from them. */
export const networkFetch = (blobs?: BlobPort): EffectPerformer => ({
  fetch: async (order, { signal }): Promise<Answer> => {
    const { intent } = order;
    const deadline = AbortSignal.timeout(intent.timeoutMs);
    const ending = { signal: AbortSignal.any([signal, deadline]) };
    try {
      const place = { blobs: needsBlobs(intent) ? demandBlobs(order.blobs ?? blobs, intent) : undefined, ending };
      const request = readRequest(order, await bodyOf(order, place));
      if (!(request instanceof Request)) return request;
      const response = await fetch(request, { ...ending, dispatcher });
      return await readResponse(response, order, place);
    } catch (error) {
      signal.throwIfAborted();
      if (deadline.aborted) return deadlineAnswer(intent);
      return error instanceof MvmError ? errorAnswer(error.code, error.message) : networkAnswer(intent, error);
    }
  },
});

/** Sends requests over the network of this machine, which keeps no blobs. */
export const systemFetch: EffectPerformer = networkFetch();

/** Where blobs are for one request; undefined when it needs none. */
interface Place {
  readonly blobs: BlobPort | undefined;
  readonly ending: { readonly signal: AbortSignal };
}

const needsBlobs = ({ into, bodyBlob }: FetchIntent): boolean => into !== undefined || bodyBlob !== undefined;

const demandBlobs = (blobs: BlobPort | undefined, { method, url }: FetchIntent): BlobPort => {
  if (blobs) return blobs;
  throw mvmError('INVALID_ARGUMENT', `${method} ${url} can't be sent: this engine has no blobs to read or write`);
};

const bodyOf = async ({ intent, job }: FetchOrder, { blobs, ending }: Place): Promise<BodyInit | null> => {
  const { body, bodyBlob } = intent;
  if (bodyBlob === undefined || !blobs) return body && new Uint8Array(body);
  const { source } = await blobs.open(job, bodyBlob, ending);
  return ReadableStream.from(source);
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

const readRequest = ({ intent, key, trace }: FetchOrder, body: BodyInit | null): Request | Answer => {
  const { method, url, redirect } = intent;
  try {
    const { protocol } = new URL(url);
    if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`${protocol} is not http: or https:`);
    const headers = new Headers(
      intent.headers.filter(([name]) => !connectionHeaders.has(name.toLowerCase())).map(pair),
    );
    if (!headers.has('idempotency-key')) headers.set('idempotency-key', key);
    setTrace(headers, trace);
    return new Request(url, { method, headers, redirect, ...(body !== null && { body, duplex: 'half' }) });
  } catch (error) {
    return errorAnswer('INVALID_ARGUMENT', `${method} ${url} can't be sent: ${reasonOf(error)}`);
  }
};

/** W3C Trace Context. The headers are of the request alone: the journal has the intent, which knows of none. */
const setTrace = (headers: Headers, trace: FetchOrder['trace']): void => {
  if (!trace || headers.has('traceparent')) return;
  headers.set('traceparent', trace.traceparent);
  if (trace.tracestate !== undefined && !headers.has('tracestate')) headers.set('tracestate', trace.tracestate);
};

const pair = ([name, value]: readonly [string, string]): [string, string] => [name, value];

const readResponse = async (response: Response, order: FetchOrder, place: Place): Promise<Answer> => {
  const { status, statusText, url, redirected } = response;
  const headers = [...response.headers].filter(([name]) => !wireHeaders.has(name));
  const head = { status, statusText, url, redirected, headers };
  if (order.intent.into === 'blob') {
    const blob = await keepBody(response, order, place);
    return { type: 'fetched', response: { ...head, body: new Uint8Array(0), blob } };
  }
  const body = await readBody(response);
  return body instanceof Uint8Array ? { type: 'fetched', response: { ...head, body } } : body;
};

const keepBody = (
  response: Response,
  { intent, job, filter }: FetchOrder,
  { blobs, ending }: Place,
): Promise<BlobRef> => {
  const body: ByteSource = piecesOf(response);
  return demandBlobs(blobs, intent).put(job, filter ? filter(body) : body, ending);
};

const piecesOf = async function* ({ body }: Response): ByteSource {
  const stream: AsyncIterable<Uint8Array> | null = body;
  if (stream) yield* stream;
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

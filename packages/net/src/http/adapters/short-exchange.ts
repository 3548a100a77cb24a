/**
 * Requests that are answered without a `Request` and a `Response`: a body of a known length in, a short answer out, for
 * routes of which thousands are asked in a second. What has anything unusual about it (a query, an encoding, no length, a
 * length above the route's limit) goes the way of all others, and is answered or refused there.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A request whose body is there. */
export interface ShortRequest {
  /** With its path; what its host is called, the header says. */
  readonly url: string;
  readonly headers: { readonly get: (name: string) => string | null };
  readonly body: Uint8Array;
}

/** What is answered to it. */
export interface ShortAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Which requests are short, and who answers them. */
export interface ShortRoutes {
  /** The most bytes that a body of `path` has here; undefined: this is none of them. */
  readonly bodyBytesMax: (path: string) => number | undefined;
  /** Never rejects. */
  readonly answer: (path: string, request: ShortRequest) => Promise<ShortAnswer>;
}

/** Answers a request when it is a short one. @returns whether it is */
export const serveShort = (incoming: IncomingMessage, outgoing: ServerResponse, routes: ShortRoutes): boolean => {
  const { method, url: path = '' } = incoming;
  if (method !== 'POST') return false;
  const bytesMax = routes.bodyBytesMax(path);
  const bytes = Number(incoming.headers['content-length'] ?? Number.NaN);
  if (bytesMax === undefined || !(bytes > 0 && bytes <= bytesMax) || !isPlain(incoming)) return false;
  const chunks: Uint8Array[] = [];
  incoming.on('data', (chunk: Uint8Array) => void chunks.push(chunk));
  // A request that is cut off has no end, and nobody who waits for an answer.
  incoming.on('end', () => void answer(routes, { incoming, outgoing, path, body: joined(chunks) }));
  return true;
};

const isPlain = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] === undefined &&
  headers['content-encoding'] === undefined &&
  isJson(headers['content-type']) &&
  isJson(headers.accept);

const isJson = (type: string | undefined): boolean => type === undefined || !type.includes('msgpack');

const joined = (chunks: readonly Uint8Array[]): Uint8Array => {
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks);
};

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly path: string;
  readonly body: Uint8Array;
}

const answer = async (routes: ShortRoutes, { incoming, outgoing, path, body }: Exchange): Promise<void> => {
  const { headers: sent } = incoming;
  const get = (name: string): string | null => {
    const value = sent[name];
    return typeof value === 'string' ? value : null;
  };
  const url = `http://localhost${path}`;
  const { status, headers, body: text } = await routes.answer(path, { url, headers: { get }, body });
  if (outgoing.destroyed) return;
  outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(text) });
  // Head and body leave in one write.
  outgoing.end(text);
};

/**
 * A real web site for demos and tests: the HTML documentation of an npm package, with redirects, pages that are missing
 * and a slow one among them. It notes every request by its `Idempotency-Key`, when it came and when its answer was
 * handed over, so that a caller can tell effects done once from effects done again.
 *
 * It owns: one listening socket and the notes. It doesn't own: the pages, which are read from disk and never changed.
 *
 * 1. A request is noted before anything is sent, so that one whose connection dies is noted too.
 * 2. A request that only follows a redirect of the site carries its fetch's key again: it is noted as a hop, and is no
 *    arrival of its own, however many senders follow the redirect.
 * 3. `stop` is idempotent, and finished when it returns: no timer, no connection is left.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readPath, type PageAnswer } from './page-answer.ts';

/** Options of {@link startSite}. */
export interface SiteOptions {
  /** Folder of the pages. @default the documentation of the npm package `cannon` */
  readonly root?: string;
  /** How long `/slow.html` takes, in ms. @default 300 */
  readonly slowMs?: number;
  /** @default 0, any free port */
  readonly port?: number;
}

/** One request as the site saw it. Times are Unix ms of the site's clock. */
export interface SiteRequest {
  /** The `Idempotency-Key`, '' when there was none. */
  readonly key: string;
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly atMs: number;
  /** Whether it follows a redirect that the site gave to the same key. */
  readonly isHop: boolean;
  /** When the whole answer was handed to the system; undefined while it is not, and when the connection died. */
  readonly answeredAtMs: number | undefined;
  /** The answer's status; undefined as above. */
  readonly status: number | undefined;
}

/** Keyed requests, counted. */
export interface EffectCount {
  /** Different keys. */
  readonly effects: number;
  /** Arrivals whose key had come before. */
  readonly resent: number;
  /** Requests without a key. */
  readonly unkeyed: number;
}

/** A running site. */
export interface Site extends AsyncDisposable {
  /** Start page; ends in a slash. */
  readonly url: string;
  /** All requests so far, in the order of their arrival. */
  readonly requests: readonly SiteRequest[];
  /** The keyed requests so far without the hops: one for each time that a fetch was sent. */
  arrivals(): readonly SiteRequest[];
  /** The arrivals, by key. */
  hits(): ReadonlyMap<string, readonly SiteRequest[]>;
  /** The requests so far, counted. */
  count(): EffectCount;
  /**
   * The arrivals that came although the answer to their key had been acknowledged: what must never happen.
   *
   * @param acknowledgedAtMs - by key: since when the answer is durable, Unix ms of this machine.
   */
  arrivedAfter(acknowledgedAtMs: ReadonlyMap<string, number>): readonly SiteRequest[];
  stop(): Promise<void>;
}

type Note = { -readonly [field in keyof SiteRequest]: SiteRequest[field] };

// The package's own documentation: 115 pages that link to each other, MIT.
const documentation = join(dirname(fileURLToPath(import.meta.resolve('cannon/package.json'))), 'docs');

/** Starts the site on loopback. */
export const startSite = async ({ root = documentation, slowMs = 300, port = 0 }: SiteOptions = {}): Promise<Site> => {
  const notes: Note[] = [];
  const redirects = new Set<string>();
  const stopping = new AbortController();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const note = noteOf(request);
    note.isHop = redirects.has(hopName(note, note.path));
    notes.push(note);
    response.once('finish', () => Object.assign(note, { answeredAtMs: Date.now(), status: response.statusCode }));
    const page = await readPath(root, note.path);
    if (page.isSlow) await sleep(slowMs, undefined, { signal: stopping.signal });
    const { location } = page.headers;
    if (location !== undefined)
      redirects.add(hopName(note, new URL(location, `http://site.invalid${note.path}`).pathname));
    send(page, request, response);
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return siteOf(server, notes, stopping);
};

const hopName = ({ key }: Note, path: string): string => `${key} ${path}`;

const noteOf = ({ headers, method = 'GET', url = '/' }: IncomingMessage): Note => ({
  key: String(headers['idempotency-key'] ?? ''),
  method,
  path: url,
  atMs: Date.now(),
  isHop: false,
  answeredAtMs: undefined,
  status: undefined,
});

const send = ({ status, headers, body }: PageAnswer, request: IncomingMessage, response: ServerResponse): void => {
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
};

const siteOf = (server: Server, requests: readonly SiteRequest[], stopping: AbortController): Site => {
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    stopping.abort();
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  const arrivals = (): readonly SiteRequest[] => requests.filter(({ key, isHop }) => key !== '' && !isHop);
  const hits = (): ReadonlyMap<string, readonly SiteRequest[]> => Map.groupBy(arrivals(), ({ key }) => key);
  return {
    url: `http://127.0.0.1:${portOf(server)}/`,
    requests,
    arrivals,
    hits,
    count: () => {
      const effects = hits().size;
      const unkeyed = requests.filter(({ key }) => key === '').length;
      return { effects, resent: arrivals().length - effects, unkeyed };
    },
    arrivedAfter: (acknowledgedAtMs) =>
      arrivals().filter(({ key, atMs }) => atMs > (acknowledgedAtMs.get(key) ?? Number.POSITIVE_INFINITY)),
    stop,
    [Symbol.asyncDispose]: stop,
  };
};

const portOf = (server: Server): number => {
  const address = server.address();
  if (typeof address === 'object' && address !== null) return address.port;
  throw new TypeError(`a listening TCP server has a port: received ${String(address)}`);
};

import { mvmError } from '@mvm-ci/protocol';
import { getRequestListener } from '@hono/node-server';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { isIPv6 } from 'node:net';
import { netLimits } from '../../limits.ts';
import { isLinkRequest, serveLink, type DuplexRoute, type RawExchange } from './duplex-route.ts';
import { serveShort, type ShortRoutes } from './short-exchange.ts';

/** Where to listen, and who answers. */
export interface HttpListenerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly fetch: (request: Request) => Promise<Response>;
  /** Requests that need no `Request`. @default none */
  readonly short?: ShortRoutes | undefined;
  /** Who takes engine links. @default nobody: their route is like any other */
  readonly links?: DuplexRoute | undefined;
  readonly times?: Partial<HttpListenerTimes> | undefined;
}

/** How long a client may take. */
interface HttpListenerTimes {
  /** For the head of a request. @default netLimits.httpHeadMs */
  readonly headMs: number;
  /** For a whole request; a link's is never over. @default netLimits.httpRequestMs */
  readonly requestMs: number;
  /** How often both are looked at. @default netLimits.httpCheckMs */
  readonly checkMs: number;
}

/** An open HTTP listener. */
export interface HttpListener {
  readonly url: string;
  /** Takes no more requests, and waits up to `drainMs` for those under way. Idempotent. */
  stop(drainMs: number): Promise<void>;
}

/**
 * Listens for HTTP.
 *
 * @throws CONFIG_INVALID when the address can't be bound
 */
export const listenHttp = async (options: HttpListenerOptions): Promise<HttpListener> => {
  const server = serverOf(options);
  const listening = once(server, 'listening');
  server.listen(options.port, options.host);
  try {
    await listening;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('CONFIG_INVALID', `can't listen on ${options.host}:${options.port}: ${reason}`, {
      host: options.host,
      port: options.port,
    });
  }
  let stopping: Promise<void> | undefined;
  return {
    url: urlOf(options.host, server),
    stop: (drainMs) => (stopping ??= close(server, drainMs)),
  };
};

const serverOf = ({ host, fetch, short, links, times = {} }: HttpListenerOptions): Server => {
  const { headMs = netLimits.httpHeadMs, requestMs = netLimits.httpRequestMs, checkMs = netLimits.httpCheckMs } = times;
  const settings = {
    headersTimeout: headMs,
    // Node would end a link after this time: where links are served, ordinary requests are timed one by one.
    requestTimeout: links ? 0 : requestMs,
    connectionsCheckingInterval: checkMs,
    keepAliveTimeout: netLimits.httpKeepAliveMs,
    keepAlive: true,
    keepAliveInitialDelay: netLimits.tcpKeepAliveMs,
  };
  const serve = getRequestListener(fetch, { hostname: host, overrideGlobalObjects: false });
  const server = createServer(settings, (incoming, outgoing) => {
    if (links && isLinkRequest(incoming)) return void serveLink({ incoming, outgoing }, fetch, links);
    if (links) limitTime({ incoming, outgoing }, requestMs);
    if (short && serveShort(incoming, outgoing, short)) return;
    void serve(incoming, outgoing);
  });
  server.maxConnections = netLimits.connectionsMax;
  return server;
};

const limitTime = ({ incoming, outgoing }: RawExchange, requestMs: number): void => {
  // An answer may take as long as it likes: only what the client still owes is timed.
  const timer = setTimeout(() => incoming.complete || outgoing.destroy(), requestMs);
  const done = (): void => clearTimeout(timer);
  incoming.once('end', done).once('close', done);
};

const urlOf = (host: string, server: Server): string => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
};

const close = async (server: Server, drainMs: number): Promise<void> => {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), drainMs);
  // A connection that is kept alive becomes idle only after its answer: look again now and then.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  await closed;
  clearTimeout(timer);
  clearInterval(sweep);
};

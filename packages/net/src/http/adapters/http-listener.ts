import { mvmError } from '@mvm-ci/protocol';
import { createAdaptorServer } from '@hono/node-server';
import { once } from 'node:events';
import { Server } from 'node:http';
import { isIPv6 } from 'node:net';

/** Where to listen, and who answers. */
export interface HttpListenerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly fetch: (request: Request) => Promise<Response>;
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
  const server = createAdaptorServer({ fetch: options.fetch, hostname: options.host, overrideGlobalObjects: false });
  if (!(server instanceof Server)) throw mvmError('INTERNAL', 'the HTTP server is of an unexpected kind');
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

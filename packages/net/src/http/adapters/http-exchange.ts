/** One request by `node:http` or `node:https`, up to the head of its answer. */
import { request as requestPlain, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as requestTls } from 'node:https';
import { mvmError } from '@mvm-ci/protocol';
import type { GiveUp } from '../../give-up.ts';
import { netLimits } from '../../limits.ts';
import { connectFailure, lateFailure, type Progress } from '../http-failure.ts';
import type { HttpAgents } from './http-agents.ts';

/** What a request to an engine server takes, whichever it is. */
export interface HttpTarget {
  /** The bearer token. @default none is sent */
  readonly token?: string | undefined;
  /** Where to connect, as an IP address; TLS and the Host header keep the name in the URL. @default what the name resolves to */
  readonly address?: string | undefined;
  /** Connections to take one from, and to give it back to. @default a connection for this request alone */
  readonly agents?: HttpAgents | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Until it is clear that the request got through. @default netLimits.connectMs */
  readonly deadlineMs?: number | undefined;
}

/** A request whose head is written, and whose answer's head has come. */
export interface HttpExchange {
  readonly request: ClientRequest;
  readonly response: IncomingMessage;
}

interface StartOptions {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly target: HttpTarget;
  /** Writes the body, or its beginning. */
  readonly start: (request: ClientRequest) => void;
  readonly giveUp: GiveUp;
}

/** Sends a request. @throws CONNECTION_LOST, DEADLINE_EXCEEDED, CANCELLED, CONFIG_INVALID */
export const startExchange = async (url: URL, options: StartOptions): Promise<HttpExchange> => {
  const { target, giveUp, start } = options;
  const request = requestOf(url, options);
  // What comes after the head's wait is told by the streams.
  request.on('error', () => undefined);
  request.setSocketKeepAlive(true, netLimits.tcpKeepAliveMs);
  const answered = headOf(request);
  try {
    start(request);
    return { request, response: await giveUp.wait(answered) };
  } catch (error) {
    const progress = request.socket === null || request.socket.connecting ? 'connecting' : 'sent';
    request.destroy();
    throw exchangeFailure(error, { url, progress, target, giveUp });
  }
};

const requestOf = (url: URL, { method, headers, target }: StartOptions): ClientRequest => {
  const { token, agents, address } = target;
  const all = { host: url.host, ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  const options = {
    method,
    headers: all,
    ...(address !== undefined && { hostname: address, servername: url.hostname }),
  };
  return url.protocol === 'https:'
    ? requestTls(url, { ...options, agent: agents?.https ?? false })
    : requestPlain(url, { ...options, agent: agents?.http ?? false });
};

const headOf = (request: ClientRequest): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
    request.once('close', () => reject(new Error('it was closed before it answered')));
  });

interface FailureParts {
  readonly url: URL;
  readonly progress: Progress;
  readonly target: HttpTarget;
  readonly giveUp: GiveUp;
}

/** What a failed wait means: the deadline, the caller, or the connection. */
export const exchangeFailure = (error: unknown, { url, progress, target, giveUp }: FailureParts): Error => {
  if (giveUp.error?.code === 'DEADLINE_EXCEEDED')
    return lateFailure(url, progress, target.deadlineMs ?? netLimits.connectMs);
  return giveUp.error ?? connectFailure(url, error);
};

/** The URL of a path, perhaps with a query, below a base URL, which must be of HTTP. @throws CONFIG_INVALID */
export const urlBelow = (base: string, path: string): URL => {
  const url = URL.parse(base);
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw mvmError('CONFIG_INVALID', `the URL of an engine server begins with http:// or https://, not "${base}"`, {
      received: base,
    });
  const [pathname = '', ...query] = path.split('?');
  url.pathname = `${url.pathname.replace(/\/+$/, '')}${pathname}`;
  // A query may have question marks of its own.
  url.search = query.join('?');
  return url;
};

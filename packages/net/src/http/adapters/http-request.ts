import type { IncomingMessage } from 'node:http';
import { mvmError } from '@mvm-ci/protocol';
import { joinBytes } from '../../bytes.ts';
import type { Clock } from '../../clock.ts';
import { GiveUp } from '../../give-up.ts';
import { netLimits } from '../../limits.ts';
import { exchangeFailure, startExchange, urlBelow, type HttpTarget } from './http-exchange.ts';

/** A small request. */
export interface HttpRequestOptions extends HttpTarget {
  /** Base URL of the server. */
  readonly url: string;
  /** Begins with `/`. */
  readonly path: string;
  /** @default 'GET' */
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array | undefined;
  /** A longer answer is refused, or cut. @default netLimits.eagerBodyBytesMax */
  readonly bodyBytesMax?: number | undefined;
  /** For whom the status is enough. @default 'refused' */
  readonly longer?: 'refused' | 'cut' | undefined;
  readonly clock: Clock;
}

/** Its whole answer, whatever the status. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Uint8Array;
}

/**
 * Sends a request and reads the whole answer, by HTTP/1.1. Redirects are not followed.
 *
 * @throws CONNECTION_LOST, DEADLINE_EXCEEDED, CANCELLED, CONFIG_INVALID (a wrong URL, TLS), PAYLOAD_TOO_LARGE
 * @example const { status } = await requestHttp({ url: 'http://engine:27288', path: '/healthz', clock: systemClock });
 */
export const requestHttp = async (options: HttpRequestOptions): Promise<HttpAnswer> => {
  const { method = 'GET', headers = {}, body, clock, signal, deadlineMs = netLimits.connectMs } = options;
  const url = urlBelow(options.url, options.path);
  const giveUp = new GiveUp({ clock, deadlineMs, signal, what: `${method} ${url.pathname}` });
  try {
    const start = (request: { end(body?: string | Uint8Array): unknown }): unknown => request.end(body);
    const { request, response } = await startExchange(url, { method, headers, target: options, start, giveUp });
    try {
      const bytes = await giveUp.wait(bodyOf(response, options));
      return { status: response.statusCode ?? 0, headers: response.headers, body: bytes };
    } catch (error) {
      request.destroy();
      if (error instanceof Error && 'status' in error) throw error;
      throw exchangeFailure(error, { url, progress: 'answered', target: options, giveUp });
    }
  } finally {
    giveUp.settle();
  }
};

const bodyOf = async (
  response: IncomingMessage,
  { bodyBytesMax: bytesMax = netLimits.eagerBodyBytesMax, longer = 'refused' }: HttpRequestOptions,
): Promise<Uint8Array> => {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.iterator()) {
    if (!(piece instanceof Uint8Array)) continue;
    length += piece.length;
    if (length > bytesMax && longer === 'refused')
      throw mvmError('PAYLOAD_TOO_LARGE', `an answer has at most ${bytesMax} bytes here, this one has more`, {
        limit: bytesMax,
      });
    pieces.push(piece);
    // Leaving the loop ends the connection.
    if (length > bytesMax) break;
  }
  return joinBytes(pieces).subarray(0, bytesMax);
};

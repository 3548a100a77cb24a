import type { IncomingMessage } from 'node:http';
import { engineRoutes, linkFeaturesHeader, linkGreeting, MvmError } from '@mvm-ci/protocol';
import type { Clock } from '../../clock.ts';
import { GiveUp } from '../../give-up.ts';
import { netLimits } from '../../limits.ts';
import type { ByteDuplex } from '../byte-duplex.ts';
import { isLinkHead, linkRefusal } from '../http-failure.ts';
import { exchangeFailure, startExchange, urlBelow, type HttpExchange, type HttpTarget } from './http-exchange.ts';
import { IncomingBytes } from './incoming-bytes.ts';
import { NodeDuplex } from './node-duplex.ts';

/** Where to open a link. */
export interface HttpDuplexOptions extends HttpTarget {
  /** Base URL of the engine server, such as `http://engine:27288`. */
  readonly url: string;
  readonly clock: Clock;
}

/** A link that stands. */
export interface EngineDuplex extends ByteDuplex {
  /** What the server lists that it can do beyond the link's number. */
  readonly features: readonly string[];
}

/**
 * Opens a byte stream each way to an engine server: one `POST /engine/link` over HTTP/1.1 whose two bodies stay open. It is
 * open when the greeting has gone there and come back.
 *
 * @throws CONNECTION_LOST, DEADLINE_EXCEEDED, CANCELLED, CONFIG_INVALID (no engine server, a redirect, TLS), UNAUTHENTICATED,
 * FORBIDDEN, UNAVAILABLE, or what the server says
 * @example const duplex = await openHttpDuplex({ url: 'http://engine:27288', clock: systemClock });
 */
export const openHttpDuplex = async (options: HttpDuplexOptions): Promise<EngineDuplex> => {
  const url = urlBelow(options.url, engineRoutes.link);
  const { clock, signal, deadlineMs = netLimits.connectMs } = options;
  const giveUp = new GiveUp({ clock, deadlineMs, signal, what: `a link to ${url.host}` });
  try {
    const exchange = await startExchange(url, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', accept: 'application/octet-stream, application/json' },
      target: options,
      start: (request) => request.write(linkGreeting),
      giveUp,
    });
    return await accepted(exchange, { url, giveUp, options });
  } finally {
    giveUp.settle();
  }
};

interface Opening {
  readonly url: URL;
  readonly giveUp: GiveUp;
  readonly options: HttpDuplexOptions;
}

const accepted = async (exchange: HttpExchange, opening: Opening): Promise<EngineDuplex> => {
  const { request, response } = exchange;
  try {
    const head = { status: response.statusCode ?? 0, headers: response.headers };
    if (isLinkHead(head)) return await greeted(exchange, opening);
    throw linkRefusal(opening.url, head, await shortText(response, opening.giveUp));
  } catch (error) {
    request.destroy();
    if (error instanceof MvmError && !opening.giveUp.error) throw error;
    throw exchangeFailure(error, { ...opening, progress: 'answered', target: opening.options });
  }
};

const greeted = async ({ request, response }: HttpExchange, { giveUp, options }: Opening): Promise<EngineDuplex> => {
  const duplex = new NodeDuplex({ incoming: response, outgoing: request, clock: options.clock });
  const greeting = await giveUp.wait(duplex.exactly(linkGreeting.length));
  if (new TextDecoder().decode(greeting) !== linkGreeting)
    throw new Error('what came back first is not the greeting of an engine link');
  return {
    readable: duplex.readable,
    write: (bytes) => duplex.write(bytes),
    close: (error) => duplex.close(error),
    features: listed(response.headers[linkFeaturesHeader]),
  };
};

const listed = (header: string | readonly string[] | undefined): readonly string[] =>
  String(header ?? '')
    .split(',')
    .map((name) => name.trim());

// The head alone says enough when the text does not come.
const shortText = async (response: IncomingMessage, giveUp: GiveUp): Promise<string> => {
  const bytes = giveUp.wait(new IncomingBytes(response).exactly(netLimits.refusalBytesRead));
  return bytes.then((read) => new TextDecoder().decode(read)).catch(() => '');
};

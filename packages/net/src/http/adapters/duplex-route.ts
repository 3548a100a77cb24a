/**
 * The server's end of a link over HTTP/1.1: a request whose two bodies stay open. The fetch handler decides by the head
 * alone; what it lets in (status 200 with the link's header) becomes a byte stream each way, what it refuses is answered.
 * It does not go through the adapter of the fetch handler: that one ends the request's half soon after the response's.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { engineRoutes, linkGreeting } from '@mvm-ci/protocol';
import type { Clock } from '../../clock.ts';
import { GiveUp } from '../../give-up.ts';
import { netLimits } from '../../limits.ts';
import type { ByteDuplex } from '../byte-duplex.ts';
import { isLinkHead } from '../http-failure.ts';
import { NodeDuplex } from './node-duplex.ts';

/** Who takes links. */
export interface DuplexRoute {
  /** A link whose greeting has gone there and back. */
  readonly opened: (duplex: ByteDuplex) => void;
  readonly clock: Clock;
  /** How long a client may take for its greeting. @default netLimits.requestHeadMs */
  readonly greetingMs?: number | undefined;
}

/** The two messages of a request. */
export interface RawExchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** Whether a request asks for a link. */
export const isLinkRequest = ({ method, url }: IncomingMessage): boolean =>
  method === 'POST' && url?.split('?')[0] === engineRoutes.link;

/** Answers a request for a link. Never rejects. */
export const serveLink = async (
  { incoming, outgoing }: RawExchange,
  fetch: (request: Request) => Promise<Response>,
  route: DuplexRoute,
): Promise<void> => {
  try {
    const response = await fetch(headOf(incoming));
    const headers = Object.fromEntries(response.headers);
    outgoing.writeHead(response.status, headers);
    if (!isLinkHead({ status: response.status, headers })) {
      incoming.resume();
      outgoing.end(new Uint8Array(await response.arrayBuffer()));
      return;
    }
    outgoing.flushHeaders();
    await greet(new NodeDuplex({ incoming, outgoing, clock: route.clock }), route);
  } catch {
    // A request that no answer can be given to: a broken head, or a client that is gone.
    outgoing.destroy();
    incoming.destroy();
  }
};

const headOf = ({ headers, url, method = 'POST' }: IncomingMessage): Request => {
  const sent = Object.entries(headers).filter((line): line is [string, string] => typeof line[1] === 'string');
  return new Request(new URL(url ?? '/', `http://${headers.host ?? 'localhost'}`), { method, headers: sent });
};

const greet = async (duplex: NodeDuplex, { opened, clock, greetingMs }: DuplexRoute): Promise<void> => {
  const giveUp = new GiveUp({ clock, deadlineMs: greetingMs ?? netLimits.requestHeadMs, what: 'a greeting' });
  try {
    const greeting = await giveUp.wait(duplex.exactly(linkGreeting.length));
    if (new TextDecoder().decode(greeting) !== linkGreeting) throw new Error('it is another greeting');
    await duplex.write(greeting);
  } catch (error) {
    duplex.close(error instanceof Error ? error : new Error('it did not greet'));
    return;
  } finally {
    giveUp.settle();
  }
  opened(duplex);
};

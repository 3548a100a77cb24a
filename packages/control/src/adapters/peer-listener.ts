/**
 * The peer plane's listener: the iroh endpoint, HTTP/3 on it, and the ticket that leads to it. Owns the endpoint.
 *
 * Tickets name UDP ports, so a restart listens on the ports of the last one; when they are taken, on free ones, and workers
 * need the new ticket.
 */
import {
  encodeTicket,
  http3Alpn,
  isSocketAddress,
  openEndpoint,
  serveHttp3,
  type EndpointAddress,
  type PeerConnection,
  type PeerEndpoint,
  type Ticket,
} from '@mvm-ci/net';
import { limits, routes } from '@mvm-ci/protocol';
import { isIPv4 } from 'node:net';
import { controlLimits } from '../limits.ts';
import type { Logger } from '../logger.ts';
import type { PeerPorts } from './data-folder.ts';

/** How to listen for peers. */
export interface PeerListenerOptions {
  readonly secretKey: Uint8Array;
  /** Addresses to bind, as `ip:port`; port 0 stands for the last start's port. @default all interfaces */
  readonly bind?: readonly string[] | undefined;
  /** @default 'none' */
  readonly relay?: 'none' | 'default' | URL | undefined;
  /** @default 'none' */
  readonly discovery?: 'none' | 'default' | undefined;
  /** Where else peers find it, such as behind a NAT: `ip:port`, or `host:port` to be looked up by them. @default nowhere */
  readonly advertise?: readonly string[] | undefined;
  readonly lastPorts: PeerPorts;
  readonly logger: Logger;
  readonly fetch: (request: Request, node: string) => Promise<Response>;
  /** Told of each connection when it begins. */
  readonly onConnection: (connection: PeerConnection) => void;
}

/** An open listener for peers. */
export interface PeerListener {
  /** The control plane's node id. */
  readonly node: string;
  readonly ports: PeerPorts;
  /** A ticket that leads here. */
  ticket(parts: Omit<Ticket, 'address'>): string;
  /** Takes no more requests, waits up to `drainMs` for those under way, closes the endpoint. */
  stop(drainMs: number): Promise<void>;
}

/** Opens the endpoint and serves requests on it. @throws UNAVAILABLE when no address can be bound */
export const listenPeers = async (options: PeerListenerOptions): Promise<PeerListener> => {
  const endpoint = await open(options);
  if (options.relay !== undefined && options.relay !== 'none') await waitForRelay(endpoint, options);
  const server = serveHttp3(endpoint, {
    handler: (request, peer) => options.fetch(request, peer.nodeId),
    requestBodyBytesMax: limits.moduleBytesMax,
    endlessPaths: new Set([routes.peerStream, routes.engineLink]),
    onPeer: (change, _, connection) => {
      if (change === 'joined') options.onConnection(connection);
    },
  });
  return {
    node: endpoint.id,
    ports: portsOf(endpoint.address()),
    ticket: (parts) => encodeTicket({ ...parts, address: reachableAt(endpoint, options) }),
    stop: async (drainMs) => {
      await server.stop({ drainMs });
      await endpoint.close();
    },
  };
};

// The relay that it is to use is known before it is connected there; of the public ones, the nearest is found then.
const waitForRelay = async (endpoint: PeerEndpoint, { relay, logger }: PeerListenerOptions): Promise<void> => {
  if (await endpoint.relayReady(controlLimits.relayReadyMs)) return;
  logger.warn({ relay: String(relay) }, 'the relay does not answer: peers that need it can not come in yet');
};

/** Advertised addresses come first; those that it is bound to stay, for peers of the same network. */
const reachableAt = (endpoint: PeerEndpoint, { relay, advertise = [] }: PeerListenerOptions): EndpointAddress => {
  const { id, addresses, relayUrl = relay instanceof URL ? relay.href : undefined } = endpoint.address();
  const hosts = advertise.filter((place) => !isSocketAddress(place));
  return {
    id,
    addresses: [...new Set([...advertise.filter(isSocketAddress), ...addresses])],
    ...(hosts.length > 0 && { hosts }),
    ...(relayUrl !== undefined && { relayUrl }),
  };
};

const open = async (options: PeerListenerOptions): Promise<PeerEndpoint> => {
  const { secretKey, relay = 'none', discovery = 'none', lastPorts, logger } = options;
  const wanted = options.bind ?? everywhere(lastPorts);
  const base = { secretKey, relay, discovery, alpns: [http3Alpn] };
  try {
    const again = wanted?.map((address) => withPort(address, lastPorts));
    return await openEndpoint({ ...base, ...(again && { bind: again }) });
  } catch (error) {
    if (lastPorts.ipv4 === undefined && lastPorts.ipv6 === undefined) throw error;
    logger.warn({ ports: lastPorts }, 'the UDP ports of the last start are taken: workers need the new ticket');
    return openEndpoint({ ...base, ...(options.bind && { bind: options.bind }) });
  }
};

// Without known ports the endpoint finds out by itself whether there is IPv6.
const everywhere = (ports: PeerPorts): readonly string[] | undefined => {
  if (ports.ipv4 === undefined) return undefined;
  return ports.ipv6 === undefined ? ['0.0.0.0:0'] : ['0.0.0.0:0', '[::]:0'];
};

const withPort = (address: string, ports: PeerPorts): string => {
  const port = address.startsWith('[') ? ports.ipv6 : ports.ipv4;
  return port === undefined ? address : address.replace(/:0$/, `:${port}`);
};

const portsOf = (address: EndpointAddress): PeerPorts => {
  const sockets = address.addresses.map(splitSocket);
  return {
    ipv4: sockets.find(({ host }) => isIPv4(host))?.port,
    ipv6: sockets.find(({ host }) => !isIPv4(host))?.port,
  };
};

const splitSocket = (socket: string): { host: string; port: number } => {
  const colon = socket.lastIndexOf(':');
  return { host: socket.slice(0, colon), port: Number(socket.slice(colon + 1)) };
};

/**
 * The client: one connection to one peer, and requests on it. Owns: the connection, its session, the gate.
 *
 *   1. A client that is closed, or whose peer is gone, never connects again: reconnecting is ReconnectingPeer's.
 *   2. After GOAWAY no request is started; when the last one is done the connection is closed from here.
 */
import { mvmError } from '@mvm-ci/protocol';

import type { Clock } from '../clock.ts';
import type { EndpointAddress } from '../endpoint-address.ts';
import { netLimits } from '../limits.ts';
import type { CloseReason, PeerConnection, PeerEndpoint } from '../peer-connection.ts';
import { systemClock } from '../system-clock.ts';
import { ClientExchange, type OutgoingRequest } from './client-exchange.ts';
import { http3Codes } from './error.ts';
import { Gate, type Place } from './gate.ts';
import { http3Alpn } from './server.ts';
import { Http3Session } from './session.ts';

/** A request, as `fetch` takes it, with deadlines. */
export interface PeerRequestInit {
  /** @default 'GET' */
  readonly method?: string | undefined;
  readonly headers?: ConstructorParameters<typeof Headers>[0];
  readonly body?: string | Uint8Array | ReadableStream<Uint8Array> | null | undefined;
  readonly signal?: AbortSignal | undefined;
  /** From the call to the head of the response, and to the whole of a small body. `Infinity` for none. @default netLimits.requestMs */
  readonly deadlineMs?: number | undefined;
  /** The wait for each piece of a streamed response. `Infinity` for none. @default netLimits.bodyIdleMs */
  readonly bodyIdleMs?: number | undefined;
}

/** What sends requests to one peer. */
export interface PeerFetcher {
  /**
   * Sends a request. Redirects are not followed. A response of over 64 KiB or of unknown length streams: read or
   * cancel its body.
   *
   * @param path begins with `/`
   * @throws CONNECTION_LOST, DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE, INVALID_ARGUMENT
   */
  fetch(path: string, init?: PeerRequestInit): Promise<Response>;
}

/** A connection to a peer. */
export interface PeerClient extends PeerFetcher, AsyncDisposable {
  readonly peerId: string;
  /** Whether new requests are refused: the peer said GOAWAY, or the connection is over. */
  readonly isDraining: boolean;
  /** Resolves when the connection is over; never rejects. */
  readonly closed: Promise<CloseReason>;
  /** Resolves when the peer says that it stops (GOAWAY); stays pending otherwise. */
  readonly draining: Promise<CloseReason>;
  readonly connection: PeerConnection;
  /** Starts no new request, says so to the peer (GOAWAY), closes the connection after the last one. Idempotent. */
  drain(): Promise<void>;
  /** Closes the connection; requests under way fail with CONNECTION_LOST. Idempotent. */
  close(): Promise<void>;
}

/** How to connect. */
export interface ConnectHttp3Options {
  readonly signal?: AbortSignal | undefined;
  /** @default netLimits.connectMs */
  readonly connectMs?: number | undefined;
  /** @default netLimits.clientRequestsMax */
  readonly requestsMax?: number | undefined;
  /** @default netLimits.cancelGraceMs */
  readonly cancelGraceMs?: number | undefined;
  /** @default the system's clock */
  readonly clock?: Clock | undefined;
}

/**
 * Connects to a peer that serves HTTP/3 over iroh, trying all its addresses at once.
 *
 * @param target an address, or what has one, such as a ticket
 * @throws CONNECTION_LOST, DEADLINE_EXCEEDED, CANCELLED
 * @example const client = await connectHttp3(endpoint, decodeTicket(text)); await client.fetch('/queue/stats');
 */
export const connectHttp3 = async (
  endpoint: PeerEndpoint,
  target: EndpointAddress | { readonly address: EndpointAddress },
  options: ConnectHttp3Options = {},
): Promise<PeerClient> => {
  const address = 'address' in target ? target.address : target;
  const { signal, connectMs } = options;
  const connection = await endpoint.connect(address, { alpn: http3Alpn, signal, deadlineMs: connectMs });
  return clientOf(connection, options);
};

/** Makes a client of a connection that exists already. */
export const clientOf = (connection: PeerConnection, options: ConnectHttp3Options = {}): PeerClient =>
  new Client(connection, options);

class Client implements PeerClient {
  readonly connection: PeerConnection;
  readonly #session: Http3Session;
  readonly #gate: Gate;
  readonly #clock: Clock;
  readonly #cancelGraceMs: number;
  #lastHeardMs = -Infinity;
  readonly #draining = Promise.withResolvers<CloseReason>();
  readonly #exchanges = new Set<ClientExchange>();
  #isDraining = false;

  constructor(connection: PeerConnection, options: ConnectHttp3Options) {
    this.connection = connection;
    this.#clock = options.clock ?? systemClock;
    this.#cancelGraceMs = options.cancelGraceMs ?? netLimits.cancelGraceMs;
    this.#gate = new Gate({
      placesMax: options.requestsMax ?? netLimits.clientRequestsMax,
      waitingMax: netLimits.clientRequestsWaitingMax,
    });
    this.#session = new Http3Session(connection, 'client', {
      onBytes: this.#onBytes,
      onGoaway: (streamId) => this.#onGoaway(streamId),
    });
    // A server opens no bidirectional streams in HTTP/3 (RFC 9114 section 6.1).
    connection.limitStreams({ bidirectional: 0 });
    this.#session.start();
  }

  get peerId(): string {
    return this.connection.peerId;
  }

  get isDraining(): boolean {
    return this.#isDraining || this.connection.isClosed;
  }

  get closed(): Promise<CloseReason> {
    return this.connection.closed;
  }

  get draining(): Promise<CloseReason> {
    return this.#draining.promise;
  }

  async fetch(path: string, init: PeerRequestInit = {}): Promise<Response> {
    const request = outgoing(path, init, this.peerId);
    if (this.connection.isClosed) throw await this.#lost();
    if (this.#isDraining) throw mvmError('UNAVAILABLE', 'the connection takes no new requests: it is about to end');
    const place = this.#gate.enter();
    const exchange: ClientExchange = new ClientExchange(request, {
      session: this.#session,
      clock: this.#clock,
      place: { ready: place.ready, leave: () => this.#leave(place, exchange) },
      cancelGraceMs: this.#cancelGraceMs,
      isDraining: () => this.#isDraining,
      lastHeardMs: () => this.#lastHeardMs,
      onBytes: this.#onBytes,
    });
    this.#exchanges.add(exchange);
    return exchange.start();
  }

  async drain(): Promise<void> {
    this.#isDraining = true;
    // Our requests go on; the number is that of the first push that we refuse (RFC 9114 section 5.2).
    await this.#session.sendGoaway(0);
    this.#closeIfDone();
    await this.connection.closed;
  }

  async close(): Promise<void> {
    this.connection.close(http3Codes.H3_NO_ERROR, '');
    await this.connection.closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  readonly #onBytes = (): void => {
    this.#lastHeardMs = this.#clock.monotonicMs();
  };

  #onGoaway(firstRefused: number): void {
    this.#isDraining = true;
    this.#draining.resolve({ by: 'peer', text: 'it stops' });
    if (Number.isSafeInteger(firstRefused))
      for (const exchange of this.#exchanges) void exchange.onGoaway(firstRefused);
    this.#closeIfDone();
  }

  #leave(place: Place, exchange: ClientExchange): void {
    this.#exchanges.delete(exchange);
    place.leave();
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#isDraining && this.#exchanges.size === 0) void this.close();
  }

  async #lost(): Promise<Error> {
    const { by, text } = await this.connection.closed;
    return mvmError('CONNECTION_LOST', `the connection to peer ${this.peerId} is over (${by}): ${text}`, { by, text });
  }
}

const outgoing = (path: string, init: PeerRequestInit, authority: string): OutgoingRequest => {
  if (!/^\/[!-~]*$/.test(path)) {
    throw mvmError('INVALID_ARGUMENT', `a path begins with "/" and holds no spaces, not "${path}"`);
  }
  return {
    method: (init.method ?? 'GET').toUpperCase(),
    authority,
    path,
    headers: new Headers(init.headers),
    body: typeof init.body === 'string' ? new TextEncoder().encode(init.body) : (init.body ?? undefined),
    deadlineMs: init.deadlineMs ?? netLimits.requestMs,
    bodyIdleMs: init.bodyIdleMs ?? netLimits.bodyIdleMs,
    signal: init.signal,
  };
};

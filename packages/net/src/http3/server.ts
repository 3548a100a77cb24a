/**
 * The server: connections to exchanges. Owns: every connection that it serves, its session, its exchanges.
 *
 *   1. No peer can stop it: what goes wrong on a connection ends that connection at most.
 *   2. `stop` refuses new requests (GOAWAY), lets the ones under way finish within the drain time, then closes.
 *   3. I8: requests for each connection are limited by the transport's stream credit, and handlers that work on for
 *      requests that were given up by a number of their own.
 *   4. A connection without requests is let go after the idle time.
 */
import { mvmError, type MvmError } from '@mvm-ci/protocol';

import type { Clock } from '../clock.ts';
import { netLimits } from '../limits.ts';
import type { BidirectionalStream, PeerConnection, PeerEndpoint } from '../peer-connection.ts';
import { systemClock } from '../system-clock.ts';
import { http3Codes, Http3Error } from './error.ts';
import { ServerExchange, type ExchangeContext, type Http3Handler } from './server-exchange.ts';
import { Http3Session } from './session.ts';

/** The ALPN of HTTP/3 over iroh, shared with the Rust programs that speak it. */
export const http3Alpn = 'iroh+h3';

/** How requests are served. */
export interface ServeHttp3Options {
  readonly handler: Http3Handler;
  /** @default netLimits.requestsPerConnectionMax */
  readonly requestsPerConnectionMax?: number;
  /** Handlers at work for one connection, with those whose request was given up. @default netLimits.handlersPerConnectionMax */
  readonly handlersPerConnectionMax?: number;
  /** @default netLimits.requestBodyBytesMax */
  readonly requestBodyBytesMax?: number;
  /** Paths whose request bodies have no limit and no deadline, since they stay open; who serves them bounds what is kept, and how long. @default none */
  readonly endlessPaths?: ReadonlySet<string>;
  /** @default netLimits.requestHeadMs */
  readonly requestHeadMs?: number;
  /** @default netLimits.bodyIdleMs */
  readonly bodyIdleMs?: number;
  /** A connection without a request for this long is ended; `Infinity` for never. @default netLimits.connectionIdleMs */
  readonly connectionIdleMs?: number;
  /** Told of what the handler threw that is none of our errors; the peer sees `INTERNAL`. @default ignored */
  readonly onHandlerError?: (thrown: unknown, request: Request) => void;
  /** Told of each connection when it begins and ends. @default ignored */
  readonly onPeer?: (change: 'joined' | 'left', nodeId: string, connection: PeerConnection) => void;
  /** @default the system's clock */
  readonly clock?: Clock;
}

/** A running server. */
export interface Http3Server extends AsyncDisposable {
  /** The connections served now. */
  readonly connections: readonly PeerConnection[];
  /** Takes no new requests, waits for those under way, closes the connections. Idempotent. @default drainMs netLimits.drainMs */
  stop(options?: { readonly drainMs?: number }): Promise<void>;
}

/**
 * Serves requests with one fetch-style handler, on all incoming connections of an endpoint or on one connection.
 * Response bodies stream, also endless ones; they are cancelled when the peer leaves.
 *
 * @example serveHttp3(endpoint, { handler: (request, peer) => app.fetch(request, { nodeId: peer.nodeId }) });
 */
export const serveHttp3 = (source: PeerEndpoint | PeerConnection, options: ServeHttp3Options): Http3Server =>
  new Server(source, options);

class Server implements Http3Server {
  readonly #options: ServeHttp3Options;
  readonly #clock: Clock;
  readonly #served = new Map<PeerConnection, { served: ServedConnection; ended: Promise<void> }>();
  readonly #incoming: AsyncIterator<PeerConnection> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(source: PeerEndpoint | PeerConnection, options: ServeHttp3Options) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    if ('connections' in source) {
      this.#incoming = source.connections(http3Alpn)[Symbol.asyncIterator]();
      void this.#serveAll(this.#incoming);
    } else {
      this.#serve(source);
    }
  }

  get connections(): readonly PeerConnection[] {
    return [...this.#served.keys()];
  }

  async stop(options: { readonly drainMs?: number } = {}): Promise<void> {
    this.#stopping ??= this.#stop(options.drainMs ?? netLimits.drainMs);
    await this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(drainMs: number): Promise<void> {
    await this.#incoming?.return?.();
    const all = [...this.#served.values()];
    await Promise.all(all.map(async ({ served }) => served.stop(drainMs)));
    await Promise.all(all.map(async ({ ended }) => ended));
  }

  async #serveAll(incoming: AsyncIterator<PeerConnection>): Promise<void> {
    for (;;) {
      const next = await incoming.next();
      if (next.done === true) return;
      this.#serve(next.value);
    }
  }

  #serve(connection: PeerConnection): void {
    const served = new ServedConnection(connection, this.#options, this.#clock);
    this.#options.onPeer?.('joined', connection.peerId, connection);
    this.#served.set(connection, { served, ended: this.#follow(served, connection) });
  }

  async #follow(served: ServedConnection, connection: PeerConnection): Promise<void> {
    await served.run();
    this.#served.delete(connection);
    this.#options.onPeer?.('left', connection.peerId, connection);
  }
}

class ServedConnection {
  readonly #connection: PeerConnection;
  readonly #session: Http3Session;
  readonly #context: ExchangeContext;
  readonly #clock: Clock;
  readonly #exchanges = new Map<number, ServerExchange>();
  /** Cancellations that overtook their request: ids not yet accepted, so at most as many as the stream credit. */
  readonly #cancelledEarly = new Set<number>();
  readonly #idle = Promise.withResolvers<void>();
  readonly #idleMs: number;
  readonly #handlersMax: number;
  #lastRequestMs: number;
  #nextStreamId = 0;
  #cancellations = 0;
  #isStopping = false;

  constructor(connection: PeerConnection, options: ServeHttp3Options, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
    this.#idleMs = options.connectionIdleMs ?? netLimits.connectionIdleMs;
    this.#handlersMax = options.handlersPerConnectionMax ?? netLimits.handlersPerConnectionMax;
    this.#lastRequestMs = clock.monotonicMs();
    const requestsMax = options.requestsPerConnectionMax ?? netLimits.requestsPerConnectionMax;
    connection.limitStreams({ bidirectional: requestsMax });
    this.#session = new Http3Session(connection, 'server', {
      onCancelRequest: (streamId) => this.#onCancel(streamId, requestsMax),
    });
    this.#context = {
      handler: options.handler,
      peer: { nodeId: connection.peerId },
      clock,
      requestBodyBytesMax: options.requestBodyBytesMax ?? netLimits.requestBodyBytesMax,
      endlessPaths: options.endlessPaths ?? new Set(),
      requestHeadMs: options.requestHeadMs ?? netLimits.requestHeadMs,
      bodyIdleMs: options.bodyIdleMs ?? netLimits.bodyIdleMs,
      fail: this.#session.fail,
      onHandlerError: options.onHandlerError ?? ((): void => undefined),
    };
  }

  /** Serves until the connection ends; never rejects. */
  async run(): Promise<void> {
    this.#session.start();
    void this.#watchIdle();
    try {
      while (!this.#connection.isClosed) this.#accept(await this.#connection.acceptBidirectional());
    } catch {
      // The connection is over; what its exchanges were doing is given up below.
    }
    const { text } = await this.#connection.closed;
    const reason = mvmError('CONNECTION_LOST', `the peer left: ${text}`);
    for (const exchange of this.#exchanges.values()) exchange.cancel(reason);
    this.#idle.resolve();
  }

  async stop(drainMs: number): Promise<void> {
    // Two steps (RFC 9114 section 5.2): a notice that refuses nothing, and then, when requests that were on their way have
    // come, the id of the first one that is refused. A client of ours closes after the notice, if it waits for nothing.
    await this.#session.sendGoaway(LAST_STREAM_ID);
    await this.#atMost(netLimits.goawayNoticeMs, this.#connection.closed);
    this.#isStopping = true;
    await this.#session.sendGoaway(this.#nextStreamId);
    if (this.#exchanges.size === 0) this.#idle.resolve();
    await this.#atMost(drainMs, this.#idle.promise);
    // Closing throws away what the peer has not taken yet: a client of ours closes by itself once it has all.
    if (this.#exchanges.size === 0) await this.#atMost(netLimits.lingerMs, this.#connection.closed);
    this.#connection.close(http3Codes.H3_NO_ERROR, 'the server stops');
    await this.#connection.closed;
  }

  /** Streams are accepted in the order of their ids (RFC 9000 section 2.1), so counting gives the id. */
  #accept(stream: BidirectionalStream): void {
    const streamId = this.#nextStreamId;
    this.#nextStreamId += 4;
    this.#lastRequestMs = this.#clock.monotonicMs();
    const isRefused = this.#isStopping || this.#exchanges.size >= this.#handlersMax;
    if (isRefused) return void refuse(stream);
    const exchange = new ServerExchange(stream, this.#context);
    this.#exchanges.set(streamId, exchange);
    if (this.#cancelledEarly.delete(streamId)) exchange.cancel(cancelledByPeer());
    void exchange.run().finally(() => {
      this.#exchanges.delete(streamId);
      this.#lastRequestMs = this.#clock.monotonicMs();
      if (this.#isStopping && this.#exchanges.size === 0) this.#idle.resolve();
    });
  }

  #onCancel(streamId: number, requestsMax: number): void {
    this.#cancellations += 1;
    if (this.#cancellations > this.#nextStreamId / 4 + requestsMax) {
      this.#session.fail(new Http3Error('H3_EXCESSIVE_LOAD', 'more cancellations than requests'));
    }
    this.#exchanges.get(streamId)?.cancel(cancelledByPeer());
    const isToCome = streamId >= this.#nextStreamId && this.#cancelledEarly.size < requestsMax;
    if (isToCome) this.#cancelledEarly.add(streamId);
  }

  /** Looks now and then, so that a request costs no timer. */
  async #watchIdle(): Promise<void> {
    if (this.#idleMs === Infinity) return;
    while (!this.#connection.isClosed) {
      const idleForMs = this.#exchanges.size > 0 ? 0 : this.#clock.monotonicMs() - this.#lastRequestMs;
      if (idleForMs >= this.#idleMs) return this.stop(0);
      await this.#atMost(this.#idleMs - idleForMs, this.#connection.closed);
    }
  }

  async #atMost(deadlineMs: number, work: Promise<unknown>): Promise<void> {
    const waited = Promise.withResolvers<void>();
    const timer = this.#clock.after(deadlineMs, () => waited.resolve());
    await Promise.race([work, waited.promise]);
    timer.cancel();
  }
}

/** The largest id of a request's stream that we can count. */
const LAST_STREAM_ID = 2 ** 53 - 4;

const cancelledByPeer = (): MvmError => mvmError('CANCELLED', 'the peer gave the request up');

const refuse = async (stream: BidirectionalStream): Promise<void> => {
  const code = http3Codes.H3_REQUEST_REJECTED;
  await Promise.allSettled([stream.send.reset(code), stream.receive.stop(code)]);
};

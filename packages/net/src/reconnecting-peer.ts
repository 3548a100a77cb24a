/**
 * A peer that is kept connected. Owns: the current connection, the loop that makes the next one.
 *
 *   1. The first `fetch` (or `start`) connects; from then on a lost connection is replaced until `close`.
 *   2. At most one attempt is under way. Attempts are spaced by capped exponential backoff with full jitter; a
 *      connection that lived for `stableMs` starts the backoff anew.
 *   3. A request is sent once: when its connection breaks it fails (CONNECTION_LOST, DEADLINE_EXCEEDED), and its caller
 *      decides whether it may be sent again. A request that finds no connection waits for one, within its deadline.
 *   4. A connection whose other side is gone is given up within 14 s, though no request waits (`transport-watch.ts`).
 *   5. Several addresses (of several control planes) are tried in turn; the direct addresses of one are tried at once.
 */
import { asMvmError, mvmError, type MvmError } from '@mvm-ci/protocol';

import type { FrameChannel } from './channel/frame-channel.ts';
import { requestChannel, type RequestChannelOptions } from './channel/request-channel.ts';
import type { Clock } from './clock.ts';
import { placesOf, type EndpointAddress } from './endpoint-address.ts';
import { GiveUp } from './give-up.ts';
import {
  connectHttp3,
  type ConnectHttp3Options,
  type PeerClient,
  type PeerFetcher,
  type PeerRequestInit,
} from './http3/client.ts';
import { netLimits } from './limits.ts';
import type { PeerEndpoint } from './peer-connection.ts';
import { systemClock } from './system-clock.ts';
import { watchTransport } from './transport-watch.ts';

/** Where a reconnecting peer is in its life. */
export type PeerState =
  | { readonly state: 'idle' }
  | { readonly state: 'connecting'; readonly attempt: number }
  | { readonly state: 'connected'; readonly peerId: string }
  | { readonly state: 'waiting'; readonly attempt: number; readonly retryInMs: number; readonly reason: MvmError }
  | { readonly state: 'closed' };

/** How to stay connected. */
export interface ReconnectingPeerOptions {
  readonly endpoint: PeerEndpoint;
  /** One or more peers that serve the same, such as the replicas of a control plane. */
  readonly addresses: readonly [EndpointAddress, ...EndpointAddress[]];
  /** Numbers from 0 to 1 for the jitter. */
  readonly random: () => number;
  /** Called on every change, synchronously. @default ignored */
  readonly onState?: (state: PeerState) => void;
  /** Longest wait before the second attempt. @default 50 */
  readonly backoffMs?: number;
  /** Longest wait before any attempt. @default 5_000 */
  readonly backoffMsMax?: number;
  /** A connection that lived this long starts the backoff anew. @default 1_000 */
  readonly stableMs?: number;
  /** For each connection. */
  readonly connect?: Omit<ConnectHttp3Options, 'signal' | 'clock'>;
  /** @default the system's clock */
  readonly clock?: Clock;
}

/** Full jitter: anything from 0 to the bound, which doubles with each attempt up to a cap. */
export const backoffDelayMs = (
  attempt: number,
  { random, backoffMs, backoffMsMax }: { random: () => number; backoffMs: number; backoffMsMax: number },
): number => random() * Math.min(backoffMsMax, backoffMs * 2 ** Math.min(attempt, 30));

export class ReconnectingPeer implements PeerFetcher, AsyncDisposable {
  readonly #options: ReconnectingPeerOptions;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  #state: PeerState = { state: 'idle' };
  #client = Promise.withResolvers<PeerClient>();
  #current: PeerClient | undefined;
  #loop: Promise<void> | undefined;
  #skipWait: (() => void) | undefined;
  /** When the search for a connection began; undefined while there is one. */
  #lostAtMs: number | undefined;
  #lastReason: MvmError | undefined;

  constructor(options: ReconnectingPeerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#client.promise.catch(() => undefined);
  }

  get state(): PeerState {
    return this.#state;
  }

  /** Where no connection was found, and for how long it was tried; undefined while there is one, and before the first try. */
  get unreachable(): MvmError | undefined {
    if (this.#lostAtMs === undefined) return undefined;
    const triedMs = this.#clock.monotonicMs() - this.#lostAtMs;
    const places = this.#options.addresses.flatMap(placesOf);
    const reason = this.#lastReason === undefined ? '' : `; the last try: ${this.#lastReason.message}`;
    const message = `can't reach any of these addresses: ${places.join(', ')}; tried for ${Math.round(triedMs / 1_000)} s${reason}`;
    return mvmError('CONTROL_PLANE_UNREACHABLE', message, { addresses: places, tried_ms: Math.round(triedMs) });
  }

  /** Begins to connect. Idempotent; the first `fetch` does it too. */
  start(): void {
    this.#loop ??= this.#stayConnected();
  }

  /** Waits until there is a connection. @throws DEADLINE_EXCEEDED, CANCELLED; CONNECTION_LOST after `close` */
  async connected(options: { readonly signal?: AbortSignal; readonly deadlineMs?: number } = {}): Promise<PeerClient> {
    this.start();
    const { signal, deadlineMs = netLimits.requestMs } = options;
    const giveUp = new GiveUp({ clock: this.#clock, deadlineMs, signal, what: 'a connection to the peer' });
    try {
      return await giveUp.wait(this.#client.promise);
    } finally {
      giveUp.settle();
    }
  }

  /** @throws CONNECTION_LOST, DEADLINE_EXCEEDED, CANCELLED, UNAVAILABLE, INVALID_ARGUMENT */
  async fetch(path: string, init: PeerRequestInit = {}): Promise<Response> {
    const deadlineMs = init.deadlineMs ?? netLimits.requestMs;
    const startedMs = this.#clock.monotonicMs();
    const client = await this.connected({ deadlineMs, ...(init.signal && { signal: init.signal }) });
    const waitedMs = this.#clock.monotonicMs() - startedMs;
    return client.fetch(path, { ...init, deadlineMs: Math.max(1, deadlineMs - waitedMs) });
  }

  /** Opens a channel by a POST to `path`. @throws the refusal, CONNECTION_LOST, DEADLINE_EXCEEDED, CANCELLED */
  async openChannel(
    path: string,
    options: Pick<RequestChannelOptions, 'deadlineMs' | 'signal' | 'limits'> = {},
  ): Promise<FrameChannel> {
    return requestChannel((to, init) => this.fetch(to, init), { ...options, path, clock: this.#clock });
  }

  /** Ends the connection that is in use, if there is one: the next request makes another. */
  reconnect(): void {
    void this.#current?.close();
  }

  /** Tries again now, whatever the backoff says. */
  retryNow(): void {
    this.#skipWait?.();
  }

  /** Ends it: no further attempt, requests under way fail. Idempotent. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#client.reject(closedError());
    this.#skipWait?.();
    await this.#loop;
    this.#enter({ state: 'closed' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #stayConnected(): Promise<void> {
    let failures = 0;
    for (let attempt = 0; !this.#stop.signal.aborted; attempt += 1) {
      this.#lostAtMs ??= this.#clock.monotonicMs();
      this.#enter({ state: 'connecting', attempt: failures });
      const { livedMs, reason } = await this.#connectOnce(attempt);
      this.#lastReason = reason;
      if (this.#stop.signal.aborted) return;
      failures = livedMs >= (this.#options.stableMs ?? 1_000) ? 0 : failures + 1;
      if (failures > 0) await this.#wait(failures, reason);
    }
  }

  /** One connection from its attempt to its end. */
  async #connectOnce(attempt: number): Promise<{ livedMs: number; reason: MvmError }> {
    const { endpoint, addresses, connect } = this.#options;
    const address = addresses[attempt % addresses.length] ?? addresses[0];
    const { signal } = this.#stop;
    try {
      const client = await connectHttp3(endpoint, address, { ...connect, signal, clock: this.#clock });
      const bornMs = this.#clock.monotonicMs();
      const reason = await this.#live(client);
      return { livedMs: this.#clock.monotonicMs() - bornMs, reason };
    } catch (thrown) {
      return { livedMs: 0, reason: asMvmError(thrown) };
    }
  }

  /** Hands the client out until its connection ends or its peer says that it stops. */
  async #live(client: PeerClient): Promise<MvmError> {
    const onStop = (): void => void client.close();
    this.#stop.signal.addEventListener('abort', onStop, { once: true });
    if (this.#stop.signal.aborted) onStop();
    this.#client.resolve(client);
    this.#lostAtMs = undefined;
    this.#current = client;
    this.#enter({ state: 'connected', peerId: client.peerId });
    const unwatch = this.#watch(client);
    void client.closed.finally(() => {
      unwatch();
      this.#stop.signal.removeEventListener('abort', onStop);
    });
    const { text, by } = await Promise.race([client.closed, client.draining]);
    if (!this.#stop.signal.aborted) {
      this.#client = Promise.withResolvers();
      this.#client.promise.catch(() => undefined);
    }
    return mvmError('CONNECTION_LOST', `the connection is over (${by}): ${text}`, { by, text });
  }

  /** What answers does not matter, only that something does. */
  #watch(client: PeerClient): () => void {
    const { transportAnswerMs: deadlineMs } = netLimits;
    const ask = async (): Promise<void> => {
      const { body } = await client.fetch('/', { deadlineMs });
      await body?.cancel();
    };
    return watchTransport({ connection: client.connection, ask, clock: this.#clock });
  }

  async #wait(failures: number, reason: MvmError): Promise<void> {
    const { random, backoffMs = 50, backoffMsMax = 5_000 } = this.#options;
    const retryInMs = backoffDelayMs(failures - 1, { random, backoffMs, backoffMsMax });
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = this.#clock.after(retryInMs, resolve);
    this.#skipWait = resolve;
    this.#enter({ state: 'waiting', attempt: failures, retryInMs, reason });
    await promise;
    this.#skipWait = undefined;
    timer.cancel();
  }

  #enter(state: PeerState): void {
    if (this.#state.state === 'closed') return;
    this.#state = state;
    this.#options.onState?.(state);
  }
}

const closedError = (): MvmError => mvmError('CONNECTION_LOST', 'the peer was closed from this side', { by: 'local' });

/**
 * The native endpoint. Owns: the accept loop, every open connection, the queue of incoming ones for each ALPN.
 *
 *   1. A stranger can't stop the accept loop: each handshake is guarded and has a deadline (wrong ALPN, garbage, silence).
 *   2. Open connections and endpoints are held strongly until they end: the native side closes what is collected.
 *   3. Nobody outside is contacted unless `relay` or `discovery` says so, or an address has names to look up.
 *   4. I8: connections and handshakes are counted; what is over the limit is refused.
 */
import type {
  Connection,
  Endpoint as NativeEndpoint,
  EndpointBuilder,
  Incoming,
  RelayMode as NativeRelayMode,
} from '@number0/iroh';
import { mvmError } from '@mvm-ci/protocol';

import type { Clock } from '../clock.ts';
import type { EndpointAddress } from '../endpoint-address.ts';
import { GiveUp } from '../give-up.ts';
import { netLimits } from '../limits.ts';
import type { ConnectOptions, PeerConnection, PeerEndpoint } from '../peer-connection.ts';
import { systemClock } from '../system-clock.ts';
import { systemLookup } from '../system-lookup.ts';
import { fromNativeAddress, toNativeAddress } from './address.ts';
import { Endpoint, presetMinimal, presetN0DisableRelay, RelayMode, toNative } from './binding.ts';
import { IrohConnection } from './connection.ts';
import { connectFailure, failureText } from './failure.ts';
import { IncomingQueue } from './incoming-queue.ts';
import { lookedUp, type Lookup } from './lookup.ts';

/** How an endpoint is opened. */
export interface OpenEndpointOptions {
  /** 32 bytes. Use one key in one process only: two endpoints with the same key get each other's traffic. */
  readonly secretKey: Uint8Array;
  /** The protocols that incoming connections may ask for. @default none */
  readonly alpns?: readonly string[];
  /** Socket addresses to bind. @default all interfaces: `0.0.0.0:0`, and `[::]:0` where the machine has IPv6 */
  readonly bind?: readonly string[];
  /** `none` contacts nobody; `default` uses the public relays of n0; a URL uses that relay. @default 'none' */
  readonly relay?: 'none' | 'default' | URL;
  /** `default` publishes where this endpoint is to the DNS servers of n0, and asks them for others. @default 'none' */
  readonly discovery?: 'none' | 'default';
  /** Looks names up. @default the system's resolver */
  readonly lookup?: Lookup;
  /** @default netLimits.connectionsMax */
  readonly connectionsMax?: number;
  /** @default the system's clock */
  readonly clock?: Clock;
}

const open = new Set<IrohEndpoint>();
const relayLookMs = 100;
const everywhere = ['0.0.0.0:0', '[::]:0'];

/**
 * Opens this process's end of the peer plane.
 *
 * @throws INVALID_ARGUMENT for a key that is not 32 bytes; UNAVAILABLE when no address can be bound.
 * @example await using endpoint = await openEndpoint({ secretKey, alpns: ['iroh+h3'], bind: ['127.0.0.1:0'] });
 */
export const openEndpoint = async (options: OpenEndpointOptions): Promise<PeerEndpoint> => {
  if (options.secretKey.length !== 32) {
    throw mvmError('INVALID_ARGUMENT', `a secret key has 32 bytes, not ${options.secretKey.length}`);
  }
  const endpoint = new IrohEndpoint(await bind(options), options);
  open.add(endpoint);
  return endpoint;
};

const bind = async (options: OpenEndpointOptions): Promise<NativeEndpoint> => {
  const addresses = options.bind ?? everywhere;
  try {
    return await builder(options, addresses).bind();
  } catch (thrown) {
    if (options.bind) throw cannotBind(addresses, thrown);
  }
  const withoutIpv6 = everywhere.slice(0, 1);
  return builder(options, withoutIpv6)
    .bind()
    .catch((thrown: unknown) => {
      throw cannotBind(withoutIpv6, thrown);
    });
};

const cannotBind = (addresses: readonly string[], thrown: unknown): Error =>
  mvmError('UNAVAILABLE', `can't bind ${addresses.join(' and ')}: ${failureText(thrown)}`, { addresses });

const builder = (options: OpenEndpointOptions, addresses: readonly string[]): EndpointBuilder => {
  const native = Endpoint.builder();
  if (options.discovery === 'default') presetN0DisableRelay(native);
  else presetMinimal(native);
  native.relayMode(relayMode(options.relay ?? 'none'));
  for (const address of addresses) native.bindAddr(address);
  native.secretKey(toNative(options.secretKey));
  native.alpns((options.alpns ?? []).map(alpnBytes));
  return native;
};

const relayMode = (relay: 'none' | 'default' | URL): NativeRelayMode => {
  if (relay === 'none') return RelayMode.disabled();
  return relay === 'default' ? RelayMode.defaultMode() : RelayMode.customFromUrls([relay.href]);
};

const alpnBytes = (alpn: string): number[] => toNative(new TextEncoder().encode(alpn));

class IrohEndpoint implements PeerEndpoint {
  readonly id: string;
  readonly #native: NativeEndpoint;
  readonly #clock: Clock;
  readonly #lookup: Lookup;
  readonly #connectionsMax: number;
  readonly #connections = new Set<PeerConnection>();
  readonly #queues = new Map<string, IncomingQueue>();
  readonly #accepting: Promise<void>;
  #handshakes = 0;
  #closing: Promise<void> | undefined;

  constructor(native: NativeEndpoint, options: OpenEndpointOptions) {
    this.#native = native;
    this.#clock = options.clock ?? systemClock;
    this.#lookup = options.lookup ?? systemLookup;
    this.#connectionsMax = options.connectionsMax ?? netLimits.connectionsMax;
    this.id = native.id().toString();
    this.#accepting = this.#acceptAll();
  }

  address(): EndpointAddress {
    return fromNativeAddress(this.#native.addr());
  }

  async connect(address: EndpointAddress, options: ConnectOptions): Promise<PeerConnection> {
    const connecting = this.#connect(address, options.alpn);
    const deadlineMs = options.deadlineMs ?? netLimits.connectMs;
    const giveUp = new GiveUp({
      clock: this.#clock,
      deadlineMs,
      signal: options.signal,
      what: `a connection to peer ${address.id}`,
    });
    try {
      return this.#hold(await giveUp.wait(connecting));
    } catch (thrown) {
      connecting.then(closeUnwanted, () => undefined);
      throw giveUp.error ?? connectFailure(thrown, address.id);
    } finally {
      giveUp.settle();
    }
  }

  async #connect(address: EndpointAddress, alpn: string): Promise<Connection> {
    const target = toNativeAddress(await lookedUp(address, this.#lookup));
    return this.#native.connect(target, alpnBytes(alpn));
  }

  async relayReady(deadlineMs: number): Promise<boolean> {
    const endMs = this.#clock.monotonicMs() + deadlineMs;
    // The native call that waits for it never settles without one, and holds the process.
    while (this.#native.addr().relayUrl() === null) {
      const leftMs = endMs - this.#clock.monotonicMs();
      if (leftMs <= 0 || this.#closing) return false;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#clock.after(Math.min(relayLookMs, leftMs), resolve);
      await promise;
    }
    return true;
  }

  connections(alpn: string): AsyncIterable<PeerConnection> {
    if (this.#queues.has(alpn)) {
      throw mvmError('INVALID_ARGUMENT', `the connections of ALPN "${alpn}" have a reader already`);
    }
    const queue = new IncomingQueue(() => this.#queues.delete(alpn));
    if (this.#closing) queue.end();
    else this.#queues.set(alpn, queue);
    return queue;
  }

  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    for (const queue of this.#queues.values()) queue.end();
    await this.#native.close();
    await this.#accepting;
    open.delete(this);
  }

  async #acceptAll(): Promise<void> {
    for (;;) {
      // A failure of the loop itself means that the endpoint is gone.
      const incoming = await this.#native.acceptNext().catch(() => null);
      if (incoming === null) return;
      void this.#admit(incoming);
    }
  }

  /** One stranger's handshake; never rejects. */
  async #admit(incoming: Incoming): Promise<void> {
    const isFull = this.#connections.size >= this.#connectionsMax || this.#handshakes >= netLimits.handshakesMax;
    if (isFull) return incoming.refuse().catch(() => undefined);
    this.#handshakes += 1;
    const what = 'the handshake of an incoming connection';
    const giveUp = new GiveUp({ clock: this.#clock, deadlineMs: netLimits.handshakeMsMax, what });
    const connecting = handshake(incoming);
    try {
      this.#deliver(this.#hold(await giveUp.wait(connecting)));
    } catch {
      // Whatever went wrong is the stranger's affair: it has no connection and gets no other answer.
      connecting.then(closeUnwanted, () => undefined);
    } finally {
      giveUp.settle();
      this.#handshakes -= 1;
    }
  }

  #deliver(connection: PeerConnection): void {
    const queue = this.#queues.get(connection.alpn);
    if (queue) queue.push(connection);
    else connection.close(0, 'nobody serves this protocol');
  }

  #hold(native: Connection): PeerConnection {
    const connection = new IrohConnection(native);
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    return connection;
  }
}

const handshake = async (incoming: Incoming): Promise<Connection> => {
  const accepting = await incoming.accept();
  return accepting.connect();
};

const closeUnwanted = (native: Connection): void => native.close(0n, []);

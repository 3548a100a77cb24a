/**
 * A client that goes over the peer plane: `fetch` for `@mvm-ci/client`, by a ticket. Owns the endpoint, the connection and
 * the lock of the key, from the first request until `close`.
 *
 * 1. It joins once, before its first request; from then on the control plane knows its node.
 * 2. A control plane that can't be reached within `joinMs` is an error: a command is not to wait for ever.
 */
import type { ClientOptions } from '@mvm-ci/client';
import { openEndpoint, type PeerEndpoint, type PeerFetcher, type ReconnectingPeer, type Ticket } from '@mvm-ci/net';
import { decodeErrorBody, mvmError, peerProtocols, RetryLaterError, routePath } from '@mvm-ci/protocol';
import { clientKey } from './client-key.ts';
import type { Config } from './config/setting.ts';
import { cliLimits } from './limits.ts';
import { peerOptions, reconnectingPeer } from './peer-plane.ts';
import { systemRandom } from './system-random.ts';

/** What it works with. */
export interface PeerClientOptions {
  readonly ticket: Ticket;
  /** Folder of the keys. */
  readonly folder: string;
  readonly config: Pick<Config, 'bind' | 'relay' | 'discovery'>;
  readonly warn: (text: string) => void;
}

/** What the client package takes as its transport. */
export type ClientFetch = NonNullable<ClientOptions['fetch']>;

/** See the head of this file. */
export class PeerClient {
  readonly url: string;
  readonly #options: PeerClientOptions;
  readonly #opened = new AsyncDisposableStack();
  #joined: Promise<ReconnectingPeer> | undefined;

  constructor(options: PeerClientOptions) {
    this.#options = options;
    this.url = `iroh+h3://${options.ticket.address.id}`;
  }

  /** Sends a request on the connection, which the first one makes. */
  readonly fetch: ClientFetch = async (url, init) => {
    this.#joined ??= this.#join();
    const peer = await this.#joined;
    const { method, headers, body, signal } = init;
    return peer.fetch(url.slice(this.url.length), {
      method,
      headers,
      ...(typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream ? { body } : {}),
      ...(signal && { signal }),
      deadlineMs: cliLimits.peerRequestMs,
    });
  };

  /** Closes what was opened. Idempotent. */
  async close(): Promise<void> {
    await this.#opened.disposeAsync();
  }

  async #join(): Promise<ReconnectingPeer> {
    const { ticket, folder, config, warn } = this.#options;
    // The transport's handles don't hold the event loop.
    const alive = setInterval(() => undefined, 2 ** 30);
    this.#opened.defer(() => clearInterval(alive));
    const key = clientKey(folder, warn);
    this.#opened.use(key);
    const endpoint: PeerEndpoint = await openEndpoint({ secretKey: key.bytes, ...peerOptions(config) });
    this.#opened.use(endpoint);
    const peer = reconnectingPeer(endpoint, ticket, () => undefined);
    this.#opened.use(peer);
    try {
      await join(peer, ticket);
    } catch (error) {
      throw (error instanceof RetryLaterError && peer.unreachable) || error;
    }
    return peer;
  }
}

const join = async (peer: PeerFetcher, { token, cluster }: Ticket): Promise<void> => {
  const incarnation = systemRandom.bytes(16).toHex();
  const path = routePath('join');
  const response = await peer.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      protocol: peerProtocols.oldest,
      protocolNewest: peerProtocols.newest,
      token,
      cluster,
      incarnation,
      roles: ['publisher', 'admin'],
    }),
    deadlineMs: cliLimits.joinMs,
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw decodeErrorBody(body, `the control plane answered ${path} with status ${response.status}`);
  if (typeof body === 'object') return;
  throw mvmError('INTERNAL', 'the peer does not answer like a control plane of mvm-ci');
};

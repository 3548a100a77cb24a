/**
 * One native connection. Owns: the native object (a collected one closes), the moment of its end.
 *
 *   1. `closed` resolves once, whoever ends it, and never rejects.
 *   2. `close` is idempotent; after it no call on the connection or its streams stays pending.
 *   3. The call that accepts unidirectional streams is always under way, and tells the end too: each native call that is pending
 *      is an item that Node's event loop looks at whenever any of them is done, and a control plane has thousands of connections.
 *      What it accepts ahead of being asked is bounded by the peer's stream credit.
 */
import type { MvmError } from '@mvm-ci/protocol';
import type { Connection } from '@number0/iroh';

import type {
  BidirectionalStream,
  CloseReason,
  PathSnapshot,
  PeerConnection,
  ReceiveHalf,
  SendHalf,
} from '../peer-connection.ts';
import { fromNative, toNative } from './binding.ts';
import { closedByPeer, closeReason, connectionFailure } from './failure.ts';
import { bidirectional, IrohReceiveHalf, IrohSendHalf } from './stream.ts';

export class IrohConnection implements PeerConnection {
  readonly peerId: string;
  readonly alpn: string;
  readonly closed: Promise<CloseReason>;
  readonly #native: Connection;
  /** Unidirectional streams that nobody has asked for yet. */
  readonly #arrived: ReceiveHalf[] = [];
  /** Who has asked for one. */
  readonly #asking: PromiseWithResolvers<ReceiveHalf>[] = [];
  #lost: MvmError | undefined;

  constructor(native: Connection) {
    this.#native = native;
    this.peerId = native.remoteId().toString();
    this.alpn = new TextDecoder().decode(fromNative(native.alpn()));
    this.closed = this.#acceptAll();
  }

  get isClosed(): boolean {
    return this.#lost !== undefined;
  }

  async openBidirectional(): Promise<BidirectionalStream> {
    return bidirectional(await attempt(this.#native.openBi()));
  }

  async acceptBidirectional(): Promise<BidirectionalStream> {
    return bidirectional(await attempt(this.#native.acceptBi()));
  }

  async openUnidirectional(): Promise<SendHalf> {
    return new IrohSendHalf(await attempt(this.#native.openUni()));
  }

  async acceptUnidirectional(): Promise<ReceiveHalf> {
    const half = this.#arrived.shift();
    if (half) return half;
    if (this.#lost) throw this.#lost;
    const asked = Promise.withResolvers<ReceiveHalf>();
    this.#asking.push(asked);
    return asked.promise;
  }

  limitStreams(limits: { readonly bidirectional?: number; readonly unidirectional?: number }): void {
    if (limits.bidirectional !== undefined) this.#native.setMaxConcurrentBiStreams(BigInt(limits.bidirectional));
    if (limits.unidirectional !== undefined) this.#native.setMaxConcurrentUniStreams(BigInt(limits.unidirectional));
  }

  paths(): readonly PathSnapshot[] {
    return this.#native.paths().map((path) => ({
      kind: path.isRelay ? 'relay' : 'direct',
      remote: path.remoteAddr,
      selected: path.isSelected,
      rttMs: path.rttMs,
    }));
  }

  packetsReceived(): number {
    return this.#native.stats().udpRxDatagrams;
  }

  close(code: number, text: string): void {
    if (this.isClosed) return;
    this.#native.close(BigInt(code), toNative(new TextEncoder().encode(text)));
  }

  /** Rule 3. */
  async #acceptAll(): Promise<CloseReason> {
    for (;;) {
      try {
        this.#arrive(new IrohReceiveHalf(await this.#native.acceptUni()));
      } catch (thrown) {
        const told = closedByPeer(thrown);
        const reason = told ?? closeReason(this.#native.closeReason() ?? (await this.#native.closed()));
        this.#end(connectionFailure(thrown));
        return reason;
      }
    }
  }

  #arrive(half: ReceiveHalf): void {
    const asked = this.#asking.shift();
    if (asked) asked.resolve(half);
    else this.#arrived.push(half);
  }

  #end(lost: MvmError): void {
    this.#lost = lost;
    for (const asked of this.#asking.splice(0)) asked.reject(lost);
  }
}

const attempt = async <T>(call: Promise<T>): Promise<T> => {
  try {
    return await call;
  } catch (thrown) {
    throw connectionFailure(thrown);
  }
};

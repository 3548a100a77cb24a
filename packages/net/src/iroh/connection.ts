/**
 * One native connection. Owns: the native object (a collected one closes), the moment of its end.
 *
 *   1. `closed` resolves once, whoever ends it, and never rejects.
 *   2. `close` is idempotent; after it no call on the connection or its streams stays pending.
 */
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
import { closeReason, connectionFailure } from './failure.ts';
import { bidirectional, IrohReceiveHalf, IrohSendHalf } from './stream.ts';

export class IrohConnection implements PeerConnection {
  readonly peerId: string;
  readonly alpn: string;
  readonly closed: Promise<CloseReason>;
  readonly #native: Connection;
  #isClosed = false;

  constructor(native: Connection) {
    this.#native = native;
    this.peerId = native.remoteId().toString();
    this.alpn = new TextDecoder().decode(fromNative(native.alpn()));
    this.closed = this.#whenClosed();
  }

  get isClosed(): boolean {
    return this.#isClosed;
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
    return new IrohReceiveHalf(await attempt(this.#native.acceptUni()));
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

  close(code: number, text: string): void {
    if (this.#isClosed) return;
    this.#native.close(BigInt(code), toNative(new TextEncoder().encode(text)));
  }

  async #whenClosed(): Promise<CloseReason> {
    const text = await this.#native.closed().catch((thrown: unknown) => connectionFailure(thrown).message);
    this.#isClosed = true;
    return closeReason(text);
  }
}

const attempt = async <T>(call: Promise<T>): Promise<T> => {
  try {
    return await call;
  } catch (thrown) {
    throw connectionFailure(thrown);
  }
};

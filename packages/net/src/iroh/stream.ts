/**
 * The two halves of a native stream. They hold the native object for as long as they live: a native send stream that
 * is collected counts as finished, so that a cut message would look whole to the peer.
 */
import type { BiStream, RecvStream, SendStream } from '@number0/iroh';

import type { BidirectionalStream, ReceiveHalf, SendHalf } from '../peer-connection.ts';
import { fromNative, toNative } from './binding.ts';
import { streamFailure } from './failure.ts';

/** Awaits a native call and turns what it throws into our errors. */
const attempt = async <T>(call: Promise<T>): Promise<T> => {
  try {
    return await call;
  } catch (thrown) {
    throw streamFailure(thrown);
  }
};

export class IrohSendHalf implements SendHalf {
  readonly #native: SendStream;

  constructor(native: SendStream) {
    this.#native = native;
  }

  async id(): Promise<number> {
    return streamId(await attempt(this.#native.id()));
  }

  async writeAll(bytes: Uint8Array): Promise<void> {
    await attempt(this.#native.writeAll(toNative(bytes)));
  }

  async finish(): Promise<void> {
    await attempt(this.#native.finish());
  }

  async reset(code: number): Promise<void> {
    await attempt(this.#native.reset(BigInt(code)));
  }
}

export class IrohReceiveHalf implements ReceiveHalf {
  readonly #native: RecvStream;

  constructor(native: RecvStream) {
    this.#native = native;
  }

  async read(bytesMax: number): Promise<Uint8Array> {
    return fromNative(await attempt(this.#native.read(bytesMax)));
  }

  async stop(code: number): Promise<void> {
    await attempt(this.#native.stop(BigInt(code)));
  }
}

/** Both halves of a native bidirectional stream. */
export const bidirectional = (native: BiStream): BidirectionalStream => ({
  send: new IrohSendHalf(native.send),
  receive: new IrohReceiveHalf(native.recv),
});

/** The native id is text such as "client bidirectional stream 3"; RFC 9000 section 2.1 makes a number of it. */
const streamId = (text: string): number => {
  const index = Number(/(\d+)$/.exec(text)?.[1] ?? 0);
  return index * 4 + (text.includes('unidirectional') ? 2 : 0) + (text.startsWith('server') ? 1 : 0);
};

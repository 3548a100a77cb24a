/**
 * The body of an HTTP/1.1 message, read piece by piece by whoever asks. Owns the reading of the message from here on.
 *
 * 1. Nothing is read ahead: the sender feels it when nobody asks.
 * 2. A body that ended before its end was said fails with CONNECTION_LOST.
 */
import type { IncomingMessage } from 'node:http';
import { streamLost } from '../http-failure.ts';

/** See the head of this file. */
export class IncomingBytes {
  readonly #incoming: IncomingMessage;
  #wake: () => void = () => undefined;
  #isDiscarding = false;

  constructor(incoming: IncomingMessage) {
    this.#incoming = incoming;
    for (const event of ['readable', 'end', 'error', 'close']) incoming.on(event, this.#onChange);
  }

  /** Whether nothing more will come. */
  get isOver(): boolean {
    return this.#incoming.readableEnded || this.#incoming.destroyed;
  }

  /** The next piece; undefined at the end. Asked by one caller at a time. @throws CONNECTION_LOST */
  async next(): Promise<Uint8Array | undefined> {
    return this.#read(undefined);
  }

  /** The next `length` bytes; fewer when the body ends before. @throws CONNECTION_LOST */
  async exactly(length: number): Promise<Uint8Array> {
    return (await this.#read(length)) ?? new Uint8Array();
  }

  /** All that comes, as a stream that reads nothing ahead. */
  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const piece = await this.next();
          if (piece === undefined) controller.close();
          else controller.enqueue(piece);
        },
        cancel: () => this.discard(),
      },
      { highWaterMark: 0 },
    );
  }

  /** Reads away what still comes: then the end is seen, and the connection can be used again. Idempotent. */
  discard(): void {
    this.#isDiscarding = true;
    this.#incoming.off('readable', this.#onChange);
    this.#incoming.resume();
    this.#wake();
  }

  async #read(length: number | undefined): Promise<Uint8Array | undefined> {
    const incoming = this.#incoming;
    for (;;) {
      if (this.#isDiscarding) return undefined;
      const piece: unknown = incoming.read(length);
      if (piece instanceof Uint8Array) return piece;
      if (incoming.readableEnded) return undefined;
      if (incoming.destroyed) throw streamLost(incoming.errored);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  readonly #onChange = (): void => this.#wake();
}

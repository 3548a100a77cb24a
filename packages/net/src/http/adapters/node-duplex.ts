/**
 * The two bodies of an HTTP/1.1 exchange as a byte stream each way: the same at both ends. Owns the exchange from here on.
 *
 * 1. `close` ends the half of this side; the other side reads to the end, and then ends its own.
 * 2. What is gone fails both halves with CONNECTION_LOST, whoever looks first.
 * 3. After `close` nothing is left behind: an other side that does not end its half in time is cut off.
 */
import type { IncomingMessage, OutgoingMessage } from 'node:http';
import type { Clock, Timer } from '../../clock.ts';
import { netLimits } from '../../limits.ts';
import type { ByteDuplex } from '../byte-duplex.ts';
import { streamLost } from '../http-failure.ts';
import { IncomingBytes } from './incoming-bytes.ts';

/** The two messages: which is the request and which the response does not matter. */
export interface NodeDuplexParts {
  readonly incoming: IncomingMessage;
  readonly outgoing: OutgoingMessage;
  readonly clock: Clock;
}

/** See the head of this file. */
export class NodeDuplex implements ByteDuplex {
  readonly readable: ReadableStream<Uint8Array>;
  readonly #parts: NodeDuplexParts;
  readonly #bytes: IncomingBytes;
  #linger: Timer | undefined;
  #isClosed = false;

  constructor(parts: NodeDuplexParts) {
    this.#parts = parts;
    this.#bytes = new IncomingBytes(parts.incoming);
    this.readable = this.#bytes.stream();
    const { incoming, outgoing } = parts;
    // Told by the halves (2); without a listener it would end the process.
    outgoing.on('error', () => undefined);
    for (const event of ['end', 'close']) incoming.on(event, this.#onHalfOver);
    for (const event of ['finish', 'close']) outgoing.on(event, this.#onHalfOver);
  }

  /** The next `length` bytes, before anybody reads `readable`. @throws CONNECTION_LOST */
  exactly(length: number): Promise<Uint8Array> {
    return this.#bytes.exactly(length);
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { outgoing } = this.#parts;
    if (this.#isClosed || outgoing.destroyed) throw streamLost('it is closed');
    if (outgoing.write(bytes)) return;
    await room(outgoing);
    if (outgoing.destroyed) throw streamLost(outgoing.errored);
  }

  close(error?: Error): void {
    if (error !== undefined) return this.#destroy(error);
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { outgoing, clock } = this.#parts;
    outgoing.end();
    // Who reads may read on to the end; what nobody reads is read away, so that the end is seen.
    if (!this.readable.locked) this.#bytes.discard();
    this.#linger = clock.after(netLimits.lingerMs, () => this.#destroy(new Error('the other side did not end')));
    this.#onHalfOver();
  }

  #destroy(error: Error): void {
    this.#isClosed = true;
    this.#linger?.cancel();
    this.#parts.outgoing.destroy(error);
    this.#parts.incoming.destroy(error);
  }

  readonly #onHalfOver = (): void => {
    const { outgoing } = this.#parts;
    if (this.#bytes.isOver && (outgoing.writableFinished || outgoing.destroyed)) this.#linger?.cancel();
  };
}

const room = (outgoing: OutgoingMessage): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done).off('close', done);
      resolve();
    };
    outgoing.on('drain', done).on('close', done);
  });

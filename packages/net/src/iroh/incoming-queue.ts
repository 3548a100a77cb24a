import type { PeerConnection } from '../peer-connection.ts';

/**
 * Incoming connections on their way to the one reader of their ALPN. The number of those that wait is bounded by the
 * endpoint's limit of connections.
 */
export class IncomingQueue implements AsyncIterableIterator<PeerConnection> {
  readonly #waiting: PeerConnection[] = [];
  readonly #onEnd: () => void;
  #reader: PromiseWithResolvers<IteratorResult<PeerConnection>> | undefined;
  #hasEnded = false;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(connection: PeerConnection): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) reader.resolve({ done: false, value: connection });
    else this.#waiting.push(connection);
  }

  end(): void {
    this.#hasEnded = true;
    this.#onEnd();
    for (const connection of this.#waiting.splice(0)) connection.close(0, 'nobody serves this protocol');
    this.#reader?.resolve({ done: true, value: undefined });
    this.#reader = undefined;
  }

  async next(): Promise<IteratorResult<PeerConnection>> {
    const connection = this.#waiting.shift();
    if (connection) return { done: false, value: connection };
    if (this.#hasEnded) return { done: true, value: undefined };
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  return(): Promise<IteratorResult<PeerConnection>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

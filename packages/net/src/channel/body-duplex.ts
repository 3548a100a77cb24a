/**
 * The two bodies of an HTTP request as one duplex: what is written becomes the body of the request (or response), what
 * the other body holds is read.
 */
import { mvmError } from '@mvm-ci/protocol';
import type { ByteDuplex } from '../http/byte-duplex.ts';

/** The half that this side writes. */
export interface OutgoingBody {
  /** Give it to the request or response. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** The duplex, once the other side's body is known. */
  with(readable: ReadableStream<Uint8Array>): ByteDuplex;
  /** Ends it when there will be no duplex. Idempotent. */
  close(): void;
}

/**
 * Makes the half that this side writes. A write resolves when the transport asks for more.
 *
 * @example const out = outgoingBody(); const { body } = await fetch(url, { body: out.body, duplex: 'half' });
 */
export const outgoingBody = (): OutgoingBody => {
  const pipe = new Pipe();
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      start: (controller) => pipe.start(controller),
      pull: () => pipe.pull(),
      cancel: () => pipe.cancel(),
    },
    { highWaterMark: 0 },
  );
  return {
    body,
    close: () => pipe.close(),
    with: (readable) => ({ readable, write: (bytes) => pipe.write(bytes), close: (error) => pipe.close(error) }),
  };
};

class Pipe {
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | undefined;
  #wanted = Promise.withResolvers<void>();
  #given = Promise.withResolvers<void>();
  #isOver = false;

  start(controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): void {
    this.#controller = controller;
  }

  /** The transport wants a piece: it gets the next one that is written. */
  async pull(): Promise<void> {
    this.#wanted.resolve();
    await this.#given.promise;
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#wanted.promise;
    if (this.#isOver) throw mvmError('CONNECTION_LOST', 'the other side takes no more of this body');
    this.#wanted = Promise.withResolvers();
    this.#controller?.enqueue(new Uint8Array(bytes));
    this.#given.resolve();
    this.#given = Promise.withResolvers();
  }

  close(error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (error) this.#controller?.error(error);
    else this.#controller?.close();
    this.#wanted.resolve();
    this.#given.resolve();
  }

  cancel(): void {
    this.#isOver = true;
    this.#wanted.resolve();
    this.#given.resolve();
  }
}

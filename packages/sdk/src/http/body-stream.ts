/**
 * The `body` of a request or response as a stream (Streams standard, section 4), for code that reads it piece by piece. An answer is
 * journalled before the workflow sees it, so it comes in one piece.
 */

type ReadResult =
  | { readonly done: false; readonly value: Uint8Array }
  | { readonly done: true; readonly value: undefined };

/** The only reader of a stream, until it lets go. */
export interface BodyStreamReader {
  readonly closed: Promise<undefined>;
  read(): Promise<ReadResult>;
  cancel(): Promise<void>;
  releaseLock(): void;
}

/** See the head of this file. */
export class BodyStream {
  readonly #closed = Promise.withResolvers<undefined>();
  /** Gives the piece; undefined when it was given. */
  #take: (() => Promise<Uint8Array>) | undefined;
  #isLocked = false;

  constructor(take: () => Promise<Uint8Array>) {
    this.#take = take;
    // Nobody has to look at it.
    this.#closed.promise.catch(() => undefined);
  }

  get locked(): boolean {
    return this.#isLocked;
  }

  /** @throws {TypeError} when somebody reads it already, or a reader of a buffer is wanted. */
  getReader({ mode }: { readonly mode?: string } = {}): BodyStreamReader {
    if (mode !== undefined) throw new TypeError(`a workflow's stream has no reader of the mode "${mode}"`);
    if (this.#isLocked) throw new TypeError('the stream has a reader already');
    this.#isLocked = true;
    let isHeld = true;
    const held = <R>(run: () => Promise<R>): Promise<R> =>
      isHeld ? run() : Promise.reject(new TypeError('this reader has let go of its stream'));
    return {
      closed: this.#closed.promise,
      read: () => held(() => this.#read()),
      cancel: () => held(() => this.#end()),
      releaseLock: () => {
        if (isHeld) this.#isLocked = false;
        isHeld = false;
      },
    };
  }

  /** Nobody wants what is left. */
  cancel(): Promise<void> {
    return this.#isLocked ? Promise.reject(new TypeError('the stream has a reader: cancel there')) : this.#end();
  }

  /** Two streams of the same. */
  tee(): [BodyStream, BodyStream] {
    const reader = this.getReader();
    let read: Promise<ReadResult> | undefined;
    const take = async (): Promise<Uint8Array> => {
      const { value } = await (read ??= reader.read());
      return value?.slice() ?? new Uint8Array(0);
    };
    return [new BodyStream(take), new BodyStream(take)];
  }

  /** Leaving the loop cancels, unless `preventCancel`. */
  async *values({ preventCancel = false }: { readonly preventCancel?: boolean } = {}): AsyncGenerator<
    Uint8Array,
    void
  > {
    const reader = this.getReader();
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
    } finally {
      if (!preventCancel) await reader.cancel();
      reader.releaseLock();
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    return this.values();
  }

  async #read(): Promise<ReadResult> {
    const take = this.#take;
    if (!take) {
      await this.#end();
      return { done: true, value: undefined };
    }
    this.#take = undefined;
    try {
      return { done: false, value: await take() };
    } catch (error) {
      this.#closed.reject(error);
      throw error;
    }
  }

  #end(): Promise<void> {
    this.#take = undefined;
    this.#closed.resolve(undefined);
    return Promise.resolve();
  }
}

/** Bodies between the pieces of a stream and the ReadableStreams of `fetch`. */

/** Where the pieces of a body come from, and what to do when nobody wants them any more. */
export interface BodySource {
  /** The next piece; undefined at the end. */
  next(): Promise<Uint8Array | undefined>;
  cancel(reason: unknown): void;
}

/** A stream that asks for a piece only when its reader does: backpressure reaches the peer's flow control. */
export const bodyStream = (source: BodySource): ReadableStream<Uint8Array<ArrayBuffer>> =>
  new ReadableStream(
    {
      pull: async (controller) => {
        const piece = await source.next();
        if (piece) controller.enqueue(new Uint8Array(piece));
        else controller.close();
      },
      cancel: (reason) => source.cancel(reason),
    },
    { highWaterMark: 0 },
  );

/** A byte stream each way between two processes, whatever carries it. */
export interface ByteDuplex {
  /** What the other side sends. Ends when it has ended its half; fails with CONNECTION_LOST when what carried it is gone. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Sends bytes; resolves when there is room for more. @throws CONNECTION_LOST */
  write(bytes: Uint8Array): Promise<void>;
  /** Without an error: sends what was written, then ends. With one: ends at once, and the other side sees a broken stream. Idempotent. */
  close(error?: Error): void;
}

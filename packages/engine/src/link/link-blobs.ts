/**
 * The blobs of a run's job at the engine's end of a link: they are kept by the job's holder, where those of its own engine
 * would be. It owns the blobs that are under way.
 *
 *   1. They are numbered from 1. Of a blob that is over here, what still comes is not listened to.
 *   2. A blob that nobody waits for any more is over at both ends.
 */
import {
  asMvmError,
  BlobExchange,
  mvmError,
  type BlobPort,
  type BlobRef,
  type BlobTalk,
  type ByteSource,
  type EngineMessage,
  type MvmError,
  type OpenBlob,
} from '@mvm-ci/protocol';

interface Ending {
  readonly signal: AbortSignal;
}

export class LinkBlobs implements BlobPort {
  readonly #say: (message: EngineMessage) => void;
  readonly #exchanges = new Map<number, BlobExchange>();
  #count = 0;

  /** `say` sends a message to the holder. */
  constructor(say: (message: EngineMessage) => void) {
    this.#say = say;
  }

  /** The holder has said something about a blob. @throws INVALID_ARGUMENT */
  take(blob: number, talk: BlobTalk): void {
    this.#exchanges.get(blob)?.take(talk);
  }

  async put(_job: string, source: ByteSource, { signal }: Ending): Promise<BlobRef> {
    const { exchange, end } = this.#begin({ is: 'put' }, signal);
    try {
      await exchange.give(source);
      return (await exchange.hear('kept')).ref;
    } finally {
      end();
    }
  }

  async open(_job: string, hash: string, { signal }: Ending): Promise<OpenBlob> {
    const { exchange, end } = this.#begin({ is: 'open', hash }, signal);
    try {
      await exchange.hear('opened');
    } catch (error) {
      end();
      throw error;
    }
    return { source: endingWith(exchange.parts(), end) };
  }

  /** The holder is gone. Idempotent. */
  lose(error: MvmError): void {
    for (const exchange of this.#exchanges.values()) exchange.end(error);
    this.#exchanges.clear();
  }

  #begin(first: BlobTalk, signal: AbortSignal): { readonly exchange: BlobExchange; readonly end: () => void } {
    signal.throwIfAborted();
    this.#count += 1;
    const blob = this.#count;
    const exchange = new BlobExchange((talk) => this.#say({ type: 'blob', blob, talk }));
    this.#exchanges.set(blob, exchange);
    const end = (): void => {
      signal.removeEventListener('abort', end);
      exchange.say({ is: 'stop' });
      exchange.end(signal.aborted ? asMvmError(signal.reason) : over);
      this.#exchanges.delete(blob);
    };
    signal.addEventListener('abort', end, { once: true });
    exchange.say(first);
    return { exchange, end };
  }
}

const over = mvmError('CANCELLED', 'the blob is wanted no more');

const endingWith = async function* (source: ByteSource, end: () => void): ByteSource {
  try {
    yield* source;
  } finally {
    end();
  }
};

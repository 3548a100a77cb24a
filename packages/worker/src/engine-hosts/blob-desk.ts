/**
 * The blobs of a run at the holder's end of a link: what an engine elsewhere asks to keep or to read goes where the blobs of
 * the worker's own engine go. It owns the blobs that are under way.
 *
 *   1. They are blobs of the job that the run is of, whatever the engine says.
 *   2. At most `linkLimits.blobsOpenMax` are under way; a further one is refused.
 */
import {
  asMvmError,
  BlobExchange,
  linkLimits,
  mvmError,
  type BlobPort,
  type BlobTalk,
  type HolderMessage,
} from '@mvm-ci/protocol';

export interface BlobDeskOptions {
  /** @default the engine may not ask */
  readonly blobs: BlobPort | undefined;
  readonly job: string;
  /** Sends a message to the engine. */
  readonly say: (message: HolderMessage) => void;
  /** Fires when the run is over. */
  readonly signal: AbortSignal;
}

export class BlobDesk {
  readonly #options: BlobDeskOptions;
  readonly #exchanges = new Map<number, BlobExchange>();

  constructor(options: BlobDeskOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#lose(), { once: true });
  }

  /** The engine has said something about a blob. @throws INVALID_ARGUMENT */
  take(blob: number, talk: BlobTalk): void {
    const { blobs } = this.#options;
    if (!blobs) throw mvmError('INVALID_ARGUMENT', 'the engine speaks of a blob, and this holder has offered none');
    switch (talk.is) {
      case 'put':
        return this.#begin(blob, (exchange) => this.#put(blobs, exchange));
      case 'open':
        return this.#begin(blob, (exchange) => this.#open(blobs, exchange, talk.hash));
      case 'stop':
        return this.#exchanges.get(blob)?.end(stopped);
      default:
        return this.#exchanges.get(blob)?.take(talk);
    }
  }

  #begin(blob: number, serve: (exchange: BlobExchange) => Promise<void>): void {
    if (this.#exchanges.has(blob)) throw mvmError('INVALID_ARGUMENT', `blob ${blob} is under way already`);
    const exchange = new BlobExchange((talk) => this.#options.say({ type: 'blob', blob, talk }));
    if (this.#exchanges.size >= linkLimits.blobsOpenMax) return fail(exchange, tooMany);
    this.#exchanges.set(blob, exchange);
    serve(exchange)
      .catch((error: unknown) => fail(exchange, error))
      .finally(() => {
        exchange.end(stopped);
        this.#exchanges.delete(blob);
      });
  }

  async #put(blobs: BlobPort, exchange: BlobExchange): Promise<void> {
    const { signal } = exchange;
    exchange.say({ is: 'kept', ref: await blobs.put(this.#options.job, exchange.parts(), { signal }) });
  }

  async #open(blobs: BlobPort, exchange: BlobExchange, hash: string): Promise<void> {
    const { source } = await blobs.open(this.#options.job, hash, { signal: exchange.signal });
    exchange.say({ is: 'opened' });
    await exchange.give(source);
  }

  #lose(): void {
    for (const exchange of this.#exchanges.values()) exchange.end(stopped);
  }
}

const stopped = mvmError('CANCELLED', 'the engine wants the blob no more');
const tooMany = mvmError('LIMIT_EXCEEDED', `a run has at most ${linkLimits.blobsOpenMax} blobs under way`);

const fail = (exchange: BlobExchange, error: unknown): void =>
  exchange.say({ is: 'failed', error: asMvmError(error).toRecord() });

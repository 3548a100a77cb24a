/**
 * One end of what is said about one blob over an engine link. It owns what has come and was not heard yet.
 *
 *   1. Whoever takes the bytes asks for each part, and one part is on its way at a time: neither end holds more of a blob.
 *   2. What is said without being asked for is bounded: an end that says more breaks the protocol.
 *   3. When it is over, `signal` fires, and whoever listens hears why.
 */
import { errorFromRecord, mvmError, type MvmError } from '../error.ts';
import { limits } from '../limits.ts';
import type { ByteSource } from '../port/blobs.ts';
import { inParts } from '../source-parts.ts';
import type { BlobTalk } from './blob-talk.ts';

/** `more`, and why there will be none. */
const unheardMax = 2;

export class BlobExchange {
  readonly #say: (talk: BlobTalk) => void;
  readonly #over = new AbortController();
  readonly #unheard: BlobTalk[] = [];
  #listener: PromiseWithResolvers<BlobTalk> | undefined;
  #error: MvmError | undefined;

  /** `say` sends to the other end. */
  constructor(say: (talk: BlobTalk) => void) {
    this.#say = say;
  }

  /** Fires when it is over. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Nothing is said when it is over. */
  say(talk: BlobTalk): void {
    if (!this.#error) this.#say(talk);
  }

  /** Something has come. @throws INVALID_ARGUMENT for rule 2 */
  take(talk: BlobTalk): void {
    if (this.#error) return;
    if (this.#listener) this.#listener.resolve(talk);
    else if (this.#unheard.length < unheardMax) this.#unheard.push(talk);
    else throw mvmError('INVALID_ARGUMENT', `"${talk.is}" came of a blob, and nobody asked for it`);
    this.#listener = undefined;
  }

  /** Waits for what comes next, which must be a `wanted`. @throws what the other end failed with; INVALID_ARGUMENT for anything else */
  async hear<Is extends BlobTalk['is']>(wanted: Is): Promise<BlobTalk & { readonly is: Is }> {
    const talk = await this.#next();
    if (isA(talk, wanted)) return talk;
    if (talk.is === 'failed') throw errorFromRecord(talk.error);
    throw mvmError('INVALID_ARGUMENT', `"${talk.is}" came of a blob in place of "${wanted}"`);
  }

  /** It is over, because of `error`. Idempotent. */
  end(error: MvmError): void {
    if (this.#error) return;
    this.#error = error;
    this.#unheard.length = 0;
    this.#listener?.reject(error);
    this.#listener = undefined;
    this.#over.abort(error);
  }

  /** Asks for the bytes, part by part. */
  async *parts(): ByteSource {
    for (;;) {
      this.say({ is: 'more' });
      const { bytes, isLast } = await this.hear('bytes');
      if (bytes.length > 0) yield bytes;
      if (isLast) return;
    }
  }

  /** Gives the bytes of `source`, part by part, as they are asked for. @throws what the source, or the other end, fails with */
  async give(source: ByteSource): Promise<void> {
    for await (const bytes of inParts(source, limits.blobPartBytesMax)) await this.#givePart(bytes, false);
    await this.#givePart(new Uint8Array(0), true);
  }

  async #givePart(bytes: Uint8Array, isLast: boolean): Promise<void> {
    await this.hear('more');
    this.say({ is: 'bytes', bytes, isLast });
  }

  #next(): Promise<BlobTalk> {
    if (this.#error) return Promise.reject(this.#error);
    const talk = this.#unheard.shift();
    if (talk) return Promise.resolve(talk);
    this.#listener = Promise.withResolvers();
    return this.#listener.promise;
  }
}

const isA = <Is extends BlobTalk['is']>(talk: BlobTalk, is: Is): talk is BlobTalk & { readonly is: Is } =>
  talk.is === is;

/**
 * Reads one message, a request or a response, from the receiving half of a stream. Owns that half.
 *
 *   1. The end of the stream proves nothing (a stream that is dropped looks finished): the body must have as many
 *      bytes as `content-length` or the announced trailer says, and may not end inside a frame.
 *   2. At most one read is under way. `release` frees the half if none is, and says so if one is: it can't be cancelled.
 *   3. Waiting has no limit in here; the caller races it (GiveUp).
 */
import { Http3Error, http3Codes } from './error.ts';
import { FrameDecoder, requestStreamRules, type FrameEvent } from './frame-decoder.ts';
import { readTrailers } from './message-head.ts';
import { decodeFieldSection } from './qpack/decoder.ts';
import type { FieldLine } from './qpack/field-line.ts';
import { netLimits } from '../limits.ts';
import type { ReceiveHalf } from '../peer-connection.ts';

/** Names the trailer that proves that a body of unknown length is whole; its value is the number of bytes. */
export const lengthTrailer = 'mvm-body-length';

export interface MessageReaderOptions {
  readonly fieldSectionBytesMax: number;
  /** Called whenever bytes arrive: the peer is alive. */
  readonly onBytes?: () => void;
}

type Stage = 'head' | 'body' | 'trailers' | 'end';

export class MessageReader {
  readonly #half: ReceiveHalf;
  readonly #options: MessageReaderOptions;
  readonly #decoder: FrameDecoder;
  readonly #events: FrameEvent[] = [];
  #stage: Stage = 'head';
  #reading: Promise<void> | undefined;
  #hasEnded = false;
  #bodyBytes = 0;
  #expectedBytes: number | undefined;
  #needsTrailer = false;
  #error: Error | undefined;
  #readBytes: number = netLimits.firstReadBytes;

  constructor(half: ReceiveHalf, options: MessageReaderOptions) {
    this.#half = half;
    this.#options = options;
    this.#decoder = new FrameDecoder(requestStreamRules(options.fieldSectionBytesMax));
  }

  /** Whether the peer has finished its half: nothing is left to release. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether the whole body is known to have arrived, also when the end of the stream has not yet. */
  get isBodyWhole(): boolean {
    return this.#stage === 'end' || (this.#expectedBytes !== undefined && this.#bodyBytes === this.#expectedBytes);
  }

  /** The next head: the request's or response's own, or an interim one (RFC 9114 section 4.1). */
  async head(): Promise<FieldLine[]> {
    for (;;) {
      const event = await this.#nextEvent();
      if (!event) throw new Http3Error('H3_REQUEST_INCOMPLETE', 'the stream ended before the head');
      if (event.kind === 'frame') return this.#decode(event.payload);
      throw new Http3Error('H3_FRAME_UNEXPECTED', 'DATA before HEADERS');
    }
  }

  /** Says what the head promised, before the first {@link piece}. */
  expectBody(expectedBytes: number | undefined, headers: Headers): void {
    this.#stage = 'body';
    this.#expectedBytes = expectedBytes;
    this.#needsTrailer = headers.get('trailer') === lengthTrailer;
  }

  /**
   * The next piece of the body; undefined when it is over and whole.
   *
   * @throws Http3Error H3_MESSAGE_ERROR when it is shorter or longer than promised
   */
  async piece(): Promise<Uint8Array | undefined> {
    while (this.#stage !== 'end' && !this.isBodyWhole) {
      const event = await this.#nextEvent();
      if (!event) return this.#endBody();
      if (event.kind === 'frame') this.#takeTrailers(event.payload);
      else if (event.bytes.length > 0) return this.#takePiece(event.bytes);
    }
    if (this.#events.some((event) => event.kind === 'data' && event.bytes.length > 0)) throw this.#tooLong();
    return undefined;
  }

  /** Reads what is left and throws it away, until the peer ends the stream. */
  async drain(): Promise<void> {
    this.#stage = 'end';
    while (!this.#hasEnded) {
      this.#events.length = 0;
      await this.#read();
    }
  }

  /**
   * Lets go of the half.
   *
   * @returns whether that was possible: false while a read is under way, which only the peer can end
   */
  async release(code: keyof typeof http3Codes): Promise<boolean> {
    if (this.#hasEnded) return true;
    if (this.#reading) return false;
    this.#hasEnded = true;
    await this.#half.stop(http3Codes[code]).catch(() => undefined);
    return true;
  }

  #takePiece(bytes: Uint8Array): Uint8Array {
    if (this.#stage === 'trailers') throw new Http3Error('H3_FRAME_UNEXPECTED', 'DATA after the trailers');
    this.#bodyBytes += bytes.length;
    if (this.#expectedBytes !== undefined && this.#bodyBytes > this.#expectedBytes) throw this.#tooLong();
    return bytes;
  }

  #tooLong(): Http3Error {
    return new Http3Error('H3_MESSAGE_ERROR', `the body is longer than the ${this.#expectedBytes} bytes announced`);
  }

  #takeTrailers(payload: Uint8Array): void {
    if (this.#stage === 'trailers') throw new Http3Error('H3_FRAME_UNEXPECTED', 'HEADERS after the trailers');
    this.#stage = 'trailers';
    const announced = readTrailers(this.#decode(payload)).get(lengthTrailer);
    if (announced !== null) {
      this.#expectedBytes = Number(announced);
      this.#needsTrailer = false;
    }
  }

  #endBody(): undefined {
    const isShort = this.#needsTrailer || (this.#expectedBytes ?? this.#bodyBytes) !== this.#bodyBytes;
    if (isShort) {
      const expected = this.#expectedBytes ?? 'the announced number of';
      throw new Http3Error('H3_MESSAGE_ERROR', `the body ended after ${this.#bodyBytes} of ${expected} bytes`);
    }
    this.#stage = 'end';
    return undefined;
  }

  #decode(payload: Uint8Array): FieldLine[] {
    return decodeFieldSection(payload, this.#options.fieldSectionBytesMax);
  }

  async #nextEvent(): Promise<FrameEvent | undefined> {
    for (;;) {
      const event = this.#events.shift();
      if (event) return event;
      if (this.#hasEnded) return undefined;
      await this.#read();
    }
  }

  async #read(): Promise<void> {
    if (this.#error) throw this.#error;
    this.#reading ??= this.#readOnce();
    await this.#reading;
  }

  async #readOnce(): Promise<void> {
    try {
      const bytes = await this.#half.read(this.#readBytes);
      this.#readBytes = netLimits.pieceBytesMax;
      this.#options.onBytes?.();
      if (bytes.length > 0) this.#events.push(...this.#decoder.push(bytes));
      else this.#endStream();
    } catch (thrown) {
      this.#error = thrown instanceof Error ? thrown : new Error(String(thrown));
      if (!(thrown instanceof Http3Error)) this.#hasEnded = true;
      throw thrown;
    } finally {
      this.#reading = undefined;
    }
  }

  #endStream(): void {
    this.#hasEnded = true;
    if (!this.#decoder.isBetweenFrames) throw new Http3Error('H3_FRAME_ERROR', 'the stream ended inside a frame');
  }
}

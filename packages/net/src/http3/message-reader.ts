/**
 * Reads one message, a request or a response, from the receiving half of a stream. Owns that half.
 *
 *   1. The end of the stream proves nothing (a stream that is dropped looks finished): the body must have as many
 *      bytes as `content-length` or the announced trailer says, and may not end inside a frame.
 *   2. At most one read is under way. `release` frees the half if none is, and says so if one is: it can't be cancelled.
 *   3. Waiting has no limit in here; the caller bounds it.
 *   4. Every frame is checked against its place (RFC 9114 section 4.1), also behind a body that is whole.
 */
import { Http3Error, http3Codes, type Http3Code } from './error.ts';
import { FrameDecoder, type FrameEvent, type FrameRules } from './frame-decoder.ts';
import { readTrailers } from './message-head.ts';
import { decodeFieldSection } from './qpack/decoder.ts';
import type { FieldLine } from './qpack/field-line.ts';
import { netLimits } from '../limits.ts';
import type { ReceiveHalf } from '../peer-connection.ts';

/** Names the trailer that proves that a body of unknown length is whole; its value is the number of bytes. */
export const lengthTrailer = 'mvm-body-length';

export class MessageReader {
  readonly #half: ReceiveHalf;
  readonly #sectionBytesMax: number;
  readonly #onBytes: (() => void) | undefined;
  readonly #decoder: FrameDecoder;
  #reading: Promise<void> | undefined;
  #hasEnded = false;
  #hasTrailers = false;
  #bodyBytes = 0;
  #expectedBytes: number | undefined;
  #needsTrailer = false;
  #error: Error | undefined;
  #readBytes: number = netLimits.firstReadBytes;

  /** @param onBytes called whenever bytes arrive: the peer is alive */
  constructor(half: ReceiveHalf, rules: FrameRules, onBytes?: () => void) {
    this.#half = half;
    this.#sectionBytesMax = rules.payloadBytesMax;
    this.#onBytes = onBytes;
    this.#decoder = new FrameDecoder(rules);
  }

  /** Whether the peer has finished its half: nothing is left to release. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether the whole body is known to have arrived, also when the end of the stream has not yet. */
  get isBodyWhole(): boolean {
    return this.#expectedBytes !== undefined && this.#bodyBytes === this.#expectedBytes;
  }

  /** The next head: the request's or response's own, or an interim one (RFC 9114 section 4.1). */
  async head(): Promise<FieldLine[]> {
    const event = this.#arrived() ?? (await this.#nextEvent());
    if (!event) throw new Http3Error('H3_REQUEST_INCOMPLETE', 'the stream ended before the head');
    if (event.kind === 'frame') return this.#decode(event.payload);
    throw this.#failed(new Http3Error('H3_FRAME_UNEXPECTED', 'DATA before HEADERS'));
  }

  /** Says what the head promised, before the first {@link piece}. */
  expectBody(expectedBytes: number | undefined, headers: Headers): void {
    this.#expectedBytes = expectedBytes;
    this.#needsTrailer = headers.get('trailer') === lengthTrailer;
  }

  /**
   * The next piece of the body; undefined when it is over and whole.
   *
   * @throws Http3Error H3_MESSAGE_ERROR when it is shorter or longer than promised
   */
  async piece(): Promise<Uint8Array | undefined> {
    for (;;) {
      const isWhole = this.isBodyWhole;
      // Behind a whole body only what is here already is looked at: the rest is for `drain`.
      const event = this.#arrived() ?? (isWhole ? undefined : await this.#nextEvent());
      if (!event) return isWhole ? undefined : this.#endBody();
      const bytes = this.#take(event);
      if (bytes) return bytes;
    }
  }

  /**
   * Reads what is left and throws it away, until the peer ends the stream.
   *
   * @throws Http3Error for what may not stand there
   */
  async drain(): Promise<void> {
    for (let event = await this.#nextEvent(); event; event = await this.#nextEvent()) this.#take(event);
  }

  /**
   * Lets go of the half.
   *
   * @returns whether that was possible: false while a read is under way, which only the peer can end
   */
  async release(code: Http3Code): Promise<boolean> {
    if (this.#hasEnded) return true;
    if (this.#reading) return false;
    this.#hasEnded = true;
    await this.#half.stop(http3Codes[code]).catch(() => undefined);
    return true;
  }

  /** Checks what comes behind the head. @returns the bytes of a piece that has some */
  #take(event: FrameEvent): Uint8Array | undefined {
    if (this.#hasTrailers) throw this.#failed(new Http3Error('H3_FRAME_UNEXPECTED', 'a frame after the trailers'));
    if (event.kind === 'frame') {
      this.#takeTrailers(event.payload);
      return undefined;
    }
    this.#bodyBytes += event.bytes.length;
    if (this.#bodyBytes > (this.#expectedBytes ?? Infinity)) throw this.#wrongLength('longer than');
    return event.bytes.length > 0 ? event.bytes : undefined;
  }

  #takeTrailers(payload: Uint8Array): void {
    this.#hasTrailers = true;
    const announced = readTrailers(this.#decode(payload)).get(lengthTrailer);
    if (announced === null) return;
    this.#expectedBytes = Number(announced);
    this.#needsTrailer = false;
    if (this.#bodyBytes !== this.#expectedBytes) throw this.#wrongLength('not');
  }

  #endBody(): undefined {
    if (this.#needsTrailer || (this.#expectedBytes ?? this.#bodyBytes) !== this.#bodyBytes) {
      throw this.#wrongLength('shorter than');
    }
    this.#expectedBytes = this.#bodyBytes;
    return undefined;
  }

  #wrongLength(comparison: string): Error {
    const expected = this.#expectedBytes ?? 'the number of';
    const message = `a body of ${this.#bodyBytes} bytes is ${comparison} the ${expected} bytes announced`;
    return this.#failed(new Http3Error('H3_MESSAGE_ERROR', message));
  }

  #decode(payload: Uint8Array): FieldLine[] {
    return decodeFieldSection(payload, this.#sectionBytesMax);
  }

  async #nextEvent(): Promise<FrameEvent | undefined> {
    for (;;) {
      const event = this.#arrived();
      if (event || this.#hasEnded) return event;
      this.#reading ??= this.#readOnce();
      await this.#reading;
    }
  }

  /** The next event of what has been read already. */
  #arrived(): FrameEvent | undefined {
    if (this.#error) throw this.#error;
    try {
      return this.#decoder.next();
    } catch (thrown) {
      throw this.#failed(thrown);
    }
  }

  async #readOnce(): Promise<void> {
    try {
      const bytes = await this.#half.read(this.#readBytes);
      this.#readBytes = nextReadBytes(this.#readBytes, bytes.length);
      this.#onBytes?.();
      if (bytes.length > 0) this.#decoder.push(bytes);
      else this.#endStream();
    } catch (thrown) {
      this.#hasEnded = true;
      throw this.#failed(thrown);
    } finally {
      this.#reading = undefined;
    }
  }

  #endStream(): void {
    this.#hasEnded = true;
    if (!this.#decoder.isBetweenFrames) throw new Http3Error('H3_FRAME_ERROR', 'the stream ended inside a frame');
  }

  /** Keeps the first error: whoever asks again gets it again. */
  #failed(thrown: unknown): Error {
    this.#error ??= thrown instanceof Error ? thrown : new Error(String(thrown));
    return this.#error;
  }
}

/**
 * A pending read costs its whole buffer, also where little comes or nothing for long: the next one is larger only after one
 * that came full, and smaller again after one that was nearly empty.
 */
const nextReadBytes = (asked: number, came: number): number => {
  if (came === asked) return Math.min(netLimits.pieceBytesMax, asked * readGrowth);
  return came * readGrowth <= asked ? Math.max(netLimits.firstReadBytes, asked / readGrowth) : asked;
};

const readGrowth = 4;

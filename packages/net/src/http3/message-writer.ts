/**
 * Writes one message to the sending half of a stream. Owns that half.
 *
 *   1. Calls are made one after another, each awaited: the transport may lose what overlaps.
 *   2. A small body leaves in one write together with its head.
 *   3. A body of unknown length ends with a trailer that gives its length: the end of a stream alone proves nothing.
 */
import { joinBytes } from '../bytes.ts';
import { netLimits } from '../limits.ts';
import type { SendHalf } from '../peer-connection.ts';
import { http3Codes } from './error.ts';
import { frame, frameHead, frameTypes } from './frame.ts';
import { lengthTrailer } from './message-reader.ts';
import { encodeFieldSection } from './qpack/encoder.ts';
import type { FieldLine } from './qpack/field-line.ts';

/** Waits for one write, for as long as its owner allows; a large body is many writes. */
export type WriteGuard = (write: Promise<void>) => Promise<void>;

const unguarded: WriteGuard = async (write) => write;

export class MessageWriter {
  readonly #half: SendHalf;
  readonly #guard: WriteGuard;
  #bodyBytes = 0;
  #isOver = false;

  constructor(half: SendHalf, guard: WriteGuard = unguarded) {
    this.#half = half;
    this.#guard = guard;
  }

  /** Whether the half is finished or reset. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The id of the stream; waits behind a write that is under way. */
  async streamId(): Promise<number> {
    return this.#half.id();
  }

  /** The head, joined with the body when it is given and small. Does not finish. */
  async start(lines: readonly FieldLine[], body?: Uint8Array): Promise<void> {
    const section = encodeFieldSection(lines);
    const head = [frameHead(frameTypes.HEADERS, section.length), section];
    if (!body || body.length === 0) return this.#write(joinBytes(head));
    this.#bodyBytes += body.length;
    head.push(frameHead(frameTypes.DATA, body.length));
    if (body.length <= netLimits.joinedWriteBytesMax) return this.#write(joinBytes([...head, body]));
    await this.#write(joinBytes(head));
    await this.#writePieces(body);
  }

  /** An interim head (RFC 9110 section 15.2), before {@link start}. */
  async interim(status: 100): Promise<void> {
    await this.#write(frame(frameTypes.HEADERS, encodeFieldSection([[':status', String(status)]])));
  }

  /** A piece of the body. */
  async piece(bytes: Uint8Array): Promise<void> {
    this.#bodyBytes += bytes.length;
    for (let offset = 0; offset < bytes.length; offset += netLimits.pieceBytesMax) {
      const part = bytes.subarray(offset, offset + netLimits.pieceBytesMax);
      await this.#write(frame(frameTypes.DATA, part));
    }
  }

  /** Ends the message; `withLength` adds the trailer that a streamed body announced in its head. */
  async finish(options: { readonly withLength: boolean }): Promise<void> {
    if (options.withLength) {
      const trailer = encodeFieldSection([[lengthTrailer, String(this.#bodyBytes)]]);
      await this.#write(frame(frameTypes.HEADERS, trailer));
    }
    this.#isOver = true;
    // Unlike a write it waits for nothing: the end needs no credit of the peer.
    await this.#half.finish();
  }

  /** Gives the message up; waits behind a write that is under way. Idempotent, never rejects. */
  async reset(code: keyof typeof http3Codes): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#half.reset(http3Codes[code]).catch(() => undefined);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#guard(this.#half.writeAll(bytes));
  }

  async #writePieces(bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset < bytes.length; offset += netLimits.pieceBytesMax) {
      await this.#write(bytes.subarray(offset, offset + netLimits.pieceBytesMax));
    }
  }
}

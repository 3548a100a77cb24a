/**
 * Cuts the bytes of a channel into frames, however they arrive. Pure: bytes in, frames out.
 *
 *   1. Holds at most one frame: the head, and a buffer of the length that it says.
 *   2. Payloads are copies or parts of what was pushed; who keeps one for long copies it.
 *   3. Throws ChannelViolation only.
 */
import { frameBytesMax, frameHeadBytes, type Frame } from './frame.ts';
import { ChannelViolation } from './violation.ts';

interface Partial {
  readonly head: Omit<Frame, 'payload'>;
  readonly payload: Uint8Array;
  filled: number;
}

const nothing = new Uint8Array(0);

export class FrameReader {
  readonly #head = new Uint8Array(frameHeadBytes);
  #headFilled = 0;
  #partial: Partial | undefined;

  /** The frames that end in these bytes. @throws ChannelViolation for a payload over the limit */
  *push(bytes: Uint8Array): Generator<Frame, void, undefined> {
    let at = 0;
    while (at < bytes.length) {
      if (this.#partial) {
        at += this.#fill(this.#partial, bytes, at);
        const done = this.#takePartial();
        if (done) yield done;
      } else if (this.#headFilled === 0 && bytes.length - at >= frameHeadBytes) {
        const { head, length } = readHead(bytes, at);
        at += frameHeadBytes;
        if (bytes.length - at >= length) {
          yield { ...head, payload: length === 0 ? nothing : bytes.subarray(at, at + length) };
          at += length;
        } else this.#partial = { head, payload: new Uint8Array(length), filled: 0 };
      } else {
        at += this.#fillHead(bytes, at);
        const done = this.#takePartial();
        if (done) yield done;
      }
    }
  }

  #fillHead(bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + frameHeadBytes - this.#headFilled);
    this.#head.set(part, this.#headFilled);
    this.#headFilled += part.length;
    if (this.#headFilled === frameHeadBytes) {
      const { head, length } = readHead(this.#head, 0);
      this.#headFilled = 0;
      this.#partial = { head, payload: new Uint8Array(length), filled: 0 };
    }
    return part.length;
  }

  #fill(partial: Partial, bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + partial.payload.length - partial.filled);
    partial.payload.set(part, partial.filled);
    partial.filled += part.length;
    return part.length;
  }

  #takePartial(): Frame | undefined {
    const partial = this.#partial;
    if (!partial || partial.filled < partial.payload.length) return undefined;
    this.#partial = undefined;
    return { ...partial.head, payload: partial.payload };
  }
}

const readHead = (bytes: Uint8Array, at: number): { head: Omit<Frame, 'payload'>; length: number } => {
  const byte = (offset: number): number => bytes[at + offset] ?? 0;
  const length = byte(1) * 256 + byte(2);
  if (length > frameBytesMax) {
    throw new ChannelViolation(`a frame has at most ${frameBytesMax} bytes of payload, not ${length}`);
  }
  const low = byte(4) * 2 ** 24 + byte(5) * 65_536 + byte(6) * 256 + byte(7);
  const conversation = byte(3) * 2 ** 32 + low;
  return { head: { type: byte(0) >>> 4, flags: byte(0) & 15, conversation }, length };
};

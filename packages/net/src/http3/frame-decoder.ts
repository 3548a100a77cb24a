/**
 * Cuts the bytes of a stream into frames, however they arrive. Pure: bytes in, frames out.
 *
 *   1. Frames are cut off one by one, as they are asked for: a piece full of tiny frames costs no more than its bytes.
 *   2. DATA is handed on piece by piece and never gathered; other known frames are gathered up to a limit (I8), in a
 *      buffer that grows with what has come, not with what was announced.
 *   3. What the stream's rules call unknown is skipped without being kept, whatever its length.
 *   4. Frames that say nothing (unknown ones, empty DATA) may come in any place, but not without end in a row.
 *   5. The only thing it throws is Http3Error; afterwards it is of no use.
 */
import { joinBytes } from '../bytes.ts';
import { netLimits } from '../limits.ts';
import { Http3Error, type Http3Code } from './error.ts';
import { frameTypes, reservedFrameTypes } from './frame.ts';
import { readVarint, varintLength } from './varint.ts';

/** A whole frame, or a piece of a DATA frame; an empty piece marks the place of a DATA frame without one. */
export type FrameEvent =
  | { readonly kind: 'frame'; readonly type: number; readonly payload: Uint8Array }
  | { readonly kind: 'data'; readonly bytes: Uint8Array };

/** What may stand on a stream: which types are read, which are an error and of what kind; all others are skipped. */
export interface FrameRules {
  readonly read: ReadonlySet<number>;
  readonly forbidden: ReadonlyMap<number, Http3Code>;
  readonly payloadBytesMax: number;
}

type Position =
  | { readonly at: 'head' }
  | { readonly at: 'payload'; readonly type: number; readonly length: number; gathered: Uint8Array; filled: number }
  | { readonly at: 'data' | 'skipped'; left: number };

const HEAD: Position = { at: 'head' };
const NOTHING: Uint8Array = new Uint8Array(0);

export class FrameDecoder {
  readonly #rules: FrameRules;
  #position: Position = HEAD;
  /** What was pushed and not yet cut. */
  #input: Uint8Array = NOTHING;
  #offset = 0;
  #sayingNothing = 0;

  constructor(rules: FrameRules) {
    this.#rules = rules;
  }

  /** Whether the stream may end here without cutting a frame; asked when {@link next} has nothing more. */
  get isBetweenFrames(): boolean {
    return this.#position.at === 'head' && this.#offset === this.#input.length;
  }

  /** Takes the next bytes of the stream: they are held until {@link next} has cut them. */
  push(bytes: Uint8Array): void {
    const rest = this.#input.subarray(this.#offset);
    this.#input = rest.length === 0 ? bytes : joinBytes([rest, bytes]);
    this.#offset = 0;
  }

  /**
   * The next frame, or piece of one; undefined when more bytes are needed.
   *
   * @throws Http3Error H3_EXCESSIVE_LOAD for a frame over the limit or too many that say nothing; the code of the rules
   *   for a forbidden one
   */
  next(): FrameEvent | undefined {
    for (;;) {
      const event = this.#position.at === 'head' ? this.#head() : this.#body();
      if (event !== 'more') return event;
    }
  }

  /** Reads a frame's head. */
  #head(): FrameEvent | 'more' | undefined {
    const lengthOffset = this.#offset + varintLength(this.#input[this.#offset] ?? 0);
    const type = readVarint(this.#input, this.#offset);
    const length = readVarint(this.#input, lengthOffset);
    if (type === undefined || length === undefined) return undefined;
    this.#offset = lengthOffset + varintLength(this.#input[lengthOffset] ?? 0);
    return this.#enter(type, length);
  }

  #enter(type: number, length: number): FrameEvent | 'more' {
    const { read, forbidden, payloadBytesMax } = this.#rules;
    const code = forbidden.get(type);
    if (code) throw new Http3Error(code, `a frame of type 0x${type.toString(16)} may not stand here`);
    if (!read.has(type)) return this.#skip(length);
    if (type === frameTypes.DATA) return this.#enterData(length);
    if (length > payloadBytesMax) {
      throw new Http3Error('H3_EXCESSIVE_LOAD', `a frame of ${length} bytes, at most ${payloadBytesMax} are taken`);
    }
    this.#sayingNothing = 0;
    this.#position = { at: 'payload', type, length, gathered: NOTHING, filled: 0 };
    return 'more';
  }

  #skip(length: number): 'more' {
    this.#countNothing();
    this.#position = length === 0 ? HEAD : { at: 'skipped', left: length };
    return 'more';
  }

  #enterData(length: number): FrameEvent | 'more' {
    if (length > 0) this.#sayingNothing = 0;
    else this.#countNothing();
    this.#position = length === 0 ? HEAD : { at: 'data', left: length };
    const hasBytes = length > 0 && this.#offset < this.#input.length;
    return hasBytes ? 'more' : { kind: 'data', bytes: NOTHING };
  }

  #countNothing(): void {
    this.#sayingNothing += 1;
    if (this.#sayingNothing > netLimits.framesSayingNothingMax) {
      throw new Http3Error('H3_EXCESSIVE_LOAD', 'too many frames in a row that say nothing', 'connection');
    }
  }

  /** Takes what has come of the frame under way. */
  #body(): FrameEvent | 'more' | undefined {
    const position = this.#position;
    if (position.at === 'head') return 'more';
    if (position.at === 'payload') return this.#payload(position);
    if (this.#offset === this.#input.length) return undefined;
    const piece = this.#input.subarray(this.#offset, this.#offset + position.left);
    this.#offset += piece.length;
    position.left -= piece.length;
    if (position.left === 0) this.#position = HEAD;
    return position.at === 'data' ? { kind: 'data', bytes: piece } : 'more';
  }

  #payload(position: Extract<Position, { at: 'payload' }>): FrameEvent | undefined {
    const { type, length, filled } = position;
    const piece = this.#input.subarray(this.#offset, this.#offset + length - filled);
    this.#offset += piece.length;
    const isWhole = filled + piece.length === length;
    if (isWhole) this.#position = HEAD;
    if (isWhole && filled === 0) return { kind: 'frame', type, payload: piece };
    position.filled += piece.length;
    position.gathered = withRoom(position.gathered, position.filled, length);
    position.gathered.set(piece, filled);
    return isWhole ? { kind: 'frame', type, payload: position.gathered } : undefined;
  }
}

/** A buffer that begins with the same bytes and has room for `needed`, with as much again in reserve up to the limit. */
const withRoom = (bytes: Uint8Array, needed: number, lengthMax: number): Uint8Array => {
  if (needed <= bytes.length) return bytes;
  const grown = new Uint8Array(Math.min(2 * needed, lengthMax));
  grown.set(bytes);
  return grown;
};

const { DATA, HEADERS, CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID, CANCEL_REQUEST } = frameTypes;

const unexpected = (types: Iterable<number>): Map<number, Http3Code> =>
  new Map([...types].map((type) => [type, 'H3_FRAME_UNEXPECTED']));

/**
 * The rules of a request stream (RFC 9114 section 7.2), for a server that reads requests or a client that reads
 * responses. A promise is wrong from a client, and names an id that we never allowed from a server (section 7.2.5).
 */
export const requestStreamRules = (reader: 'client' | 'server', payloadBytesMax: number): FrameRules => ({
  read: new Set([DATA, HEADERS]),
  forbidden: unexpected([CANCEL_PUSH, SETTINGS, GOAWAY, MAX_PUSH_ID, ...reservedFrameTypes]).set(
    PUSH_PROMISE,
    reader === 'server' ? 'H3_FRAME_UNEXPECTED' : 'H3_ID_ERROR',
  ),
  payloadBytesMax,
});

/** The rules of a control stream (RFC 9114 section 7.2). */
export const controlStreamRules = (payloadBytesMax: number): FrameRules => ({
  read: new Set([CANCEL_PUSH, SETTINGS, GOAWAY, MAX_PUSH_ID, CANCEL_REQUEST]),
  forbidden: unexpected([DATA, HEADERS, PUSH_PROMISE, ...reservedFrameTypes]),
  payloadBytesMax,
});

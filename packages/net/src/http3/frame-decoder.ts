/**
 * Cuts the bytes of a stream into frames, however they arrive. Pure: bytes in, frames out.
 *
 *   1. DATA is handed on piece by piece and never gathered; other known frames are gathered up to a limit (I8).
 *   2. What the stream's rules call unknown is skipped without being kept, whatever its length.
 *   3. The only thing it throws is Http3Error.
 */
import { joinBytes } from '../bytes.ts';
import { Http3Error } from './error.ts';
import { frameTypes, reservedFrameTypes } from './frame.ts';
import { readVarint, varintLength } from './varint.ts';

/** A whole frame, or a piece of a DATA frame. */
export type FrameEvent =
  | { readonly kind: 'frame'; readonly type: number; readonly payload: Uint8Array }
  | { readonly kind: 'data'; readonly bytes: Uint8Array };

/** What may stand on a stream: which types are read, which are an error; all others are skipped. */
export interface FrameRules {
  readonly read: ReadonlySet<number>;
  readonly forbidden: ReadonlySet<number>;
  readonly payloadBytesMax: number;
}

type Position =
  | { readonly at: 'head' }
  | { readonly at: 'payload'; readonly type: number; readonly pieces: Uint8Array[]; left: number }
  | { readonly at: 'data' | 'skipped'; left: number };

const HEAD: Position = { at: 'head' };

export class FrameDecoder {
  readonly #rules: FrameRules;
  #position: Position = HEAD;
  /** The beginning of a frame's head that was cut by the end of a piece: at most 15 bytes. */
  #held: Uint8Array = new Uint8Array(0);

  constructor(rules: FrameRules) {
    this.#rules = rules;
  }

  /** Whether the stream may end here without cutting a frame. */
  get isBetweenFrames(): boolean {
    return this.#position.at === 'head' && this.#held.length === 0;
  }

  /**
   * Takes the next bytes of the stream.
   *
   * @throws Http3Error H3_FRAME_UNEXPECTED for a forbidden frame, H3_EXCESSIVE_LOAD for one over the limit.
   */
  push(bytes: Uint8Array): FrameEvent[] {
    const events: FrameEvent[] = [];
    const input = this.#held.length === 0 ? bytes : joinBytes([this.#held, bytes]);
    this.#held = input.subarray(0, 0);
    let offset = 0;
    while (offset < input.length) {
      if (this.#position.at === 'head') {
        const next = this.#head(input, offset, events);
        if (next === undefined) {
          this.#held = input.slice(offset);
          return events;
        }
        offset = next;
      } else {
        offset += this.#body(input.subarray(offset), events);
      }
    }
    return events;
  }

  /** Reads a frame's head; returns where its payload begins, or undefined when more bytes are needed. */
  #head(input: Uint8Array, offset: number, events: FrameEvent[]): number | undefined {
    const type = readVarint(input, offset);
    if (type === undefined) return undefined;
    const lengthOffset = offset + varintLength(input[offset] ?? 0);
    const length = readVarint(input, lengthOffset);
    if (length === undefined) return undefined;
    this.#enter(type, length, events);
    return lengthOffset + varintLength(input[lengthOffset] ?? 0);
  }

  #enter(type: number, length: number, events: FrameEvent[]): void {
    const { read, forbidden, payloadBytesMax } = this.#rules;
    if (forbidden.has(type)) {
      throw new Http3Error('H3_FRAME_UNEXPECTED', `a frame of type 0x${type.toString(16)} may not stand here`);
    }
    if (!read.has(type)) {
      this.#position = length === 0 ? HEAD : { at: 'skipped', left: length };
    } else if (type === frameTypes.DATA) {
      events.push({ kind: 'data', bytes: new Uint8Array(0) });
      this.#position = length === 0 ? HEAD : { at: 'data', left: length };
    } else if (length > payloadBytesMax) {
      throw new Http3Error('H3_EXCESSIVE_LOAD', `a frame of ${length} bytes, at most ${payloadBytesMax} are taken`);
    } else if (length === 0) {
      events.push({ kind: 'frame', type, payload: new Uint8Array(0) });
    } else {
      this.#position = { at: 'payload', type, pieces: [], left: length };
    }
  }

  /** Takes what belongs to the frame under way; returns how many bytes that were. */
  #body(input: Uint8Array, events: FrameEvent[]): number {
    const position = this.#position;
    if (position.at === 'head') return 0;
    const piece = input.subarray(0, position.left);
    position.left -= piece.length;
    if (position.at === 'data') events.push({ kind: 'data', bytes: piece });
    if (position.at === 'payload') {
      position.pieces.push(piece);
      if (position.left === 0) events.push({ kind: 'frame', type: position.type, payload: joinBytes(position.pieces) });
    }
    if (position.left === 0) this.#position = HEAD;
    return piece.length;
  }
}

const { DATA, HEADERS, CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID, CANCEL_REQUEST } = frameTypes;

/** The rules of a request stream (RFC 9114 section 7.2). We never allow a push, so a promise is an error. */
export const requestStreamRules = (payloadBytesMax: number): FrameRules => ({
  read: new Set([DATA, HEADERS]),
  forbidden: new Set([CANCEL_PUSH, SETTINGS, PUSH_PROMISE, GOAWAY, MAX_PUSH_ID, ...reservedFrameTypes]),
  payloadBytesMax,
});

/** The rules of a control stream (RFC 9114 section 7.2). */
export const controlStreamRules = (payloadBytesMax: number): FrameRules => ({
  read: new Set([CANCEL_PUSH, SETTINGS, GOAWAY, MAX_PUSH_ID, CANCEL_REQUEST]),
  forbidden: new Set([DATA, HEADERS, PUSH_PROMISE, ...reservedFrameTypes]),
  payloadBytesMax,
});

/**
 * What one end of a conversation has yet to send. Pure: messages in, pieces out.
 *
 *   1. Messages leave in order; one that is still being packed holds up those behind it.
 *   2. A piece is taken only when there is credit for it.
 *   3. The last piece carries the end, when it is known by then.
 */
import { dataFlags, frameBytesMax, frameCost, initialCredit } from './frame.ts';
import type { WireMessage } from './message-packing.ts';
import { ChannelViolation } from './violation.ts';

/** A message in the queue; without `wire` while it is being packed. */
interface Entry {
  readonly queuedBytes: number;
  wire: WireMessage | undefined;
  sentBytes: number;
}

/** Flags and payload of the next DATA frame. */
export interface Piece {
  readonly flags: number;
  readonly payload: Uint8Array;
}

const creditMax = 2 ** 40;
/** So that a sliver of credit or of a write is not spent on a sliver of a message. */
const pieceBytesMin = 1_024;
const nothing = new Uint8Array(0);

export class Outbox {
  readonly #entries: Entry[] = [];
  #first = 0;
  #credit = initialCredit;
  #queuedBytes = 0;
  #hasOpened: boolean;
  #isEnding = false;
  #isEndSent = false;

  /** `opens` for the side that begins the conversation: its first piece says so. */
  constructor(opens: boolean) {
    this.#hasOpened = !opens;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get isEndSent(): boolean {
    return this.#isEndSent;
  }

  /** Queues a message. @returns what to call with its form on the wire, once */
  add(bytes: number): (wire: WireMessage) => void {
    const entry: Entry = { queuedBytes: bytes, wire: undefined, sentBytes: 0 };
    this.#entries.push(entry);
    this.#queuedBytes += bytes;
    return (wire) => {
      entry.wire = wire;
    };
  }

  end(): void {
    this.#isEnding = true;
  }

  /** @throws ChannelViolation when the sum is absurd */
  addCredit(bytes: number): void {
    this.#credit += bytes;
    if (this.#credit > creditMax) throw new ChannelViolation(`credit beyond ${creditMax} bytes`);
  }

  /** Whether {@link take} would give a piece, were there room for it. */
  get isSendable(): boolean {
    const entry = this.#entries[this.#first];
    if (!entry) return this.#isEnding && !this.#isEndSent && this.#credit >= frameCost;
    if (!entry.wire) return false;
    const left = entry.wire.bytes.length - entry.sentBytes;
    return this.#credit >= frameCost + Math.min(left, pieceBytesMin);
  }

  /** The next piece, with at most `roomBytes` of payload; undefined when that is too little. */
  take(roomBytes: number): Piece | undefined {
    if (!this.isSendable) return undefined;
    const entry = this.#entries[this.#first];
    if (!entry?.wire) return this.#piece(dataFlags.END, nothing);
    const { bytes, isPacked } = entry.wire;
    const left = bytes.length - entry.sentBytes;
    if (roomBytes < Math.min(left, pieceBytesMin)) return undefined;
    const length = Math.min(left, roomBytes, frameBytesMax, this.#credit - frameCost);
    const payload = bytes.subarray(entry.sentBytes, entry.sentBytes + length);
    entry.sentBytes += length;
    const isLast = length === left;
    if (isLast) this.#shift(entry);
    const isEnd = isLast && this.#isEnding && this.#first === this.#entries.length;
    return this.#piece(
      (isPacked ? dataFlags.PACKED : 0) | (isLast ? dataFlags.LAST : 0) | (isEnd ? dataFlags.END : 0),
      payload,
    );
  }

  /** Throws away what is left. @returns how many bytes that were */
  clear(): number {
    const bytes = this.#queuedBytes;
    this.#entries.length = 0;
    this.#first = 0;
    this.#queuedBytes = 0;
    return bytes;
  }

  #piece(flags: number, payload: Uint8Array): Piece {
    this.#credit -= payload.length + frameCost;
    if ((flags & dataFlags.END) !== 0) this.#isEndSent = true;
    const opening = this.#hasOpened ? 0 : dataFlags.OPEN;
    this.#hasOpened = true;
    return { flags: flags | opening, payload };
  }

  #shift(entry: Entry): void {
    this.#queuedBytes -= entry.queuedBytes;
    this.#first += 1;
    if (this.#first < 64 && this.#first < this.#entries.length) return;
    this.#entries.splice(0, this.#first);
    this.#first = 0;
  }
}

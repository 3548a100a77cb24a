/**
 * What one end of a conversation has received and not yet handed on. Pure: pieces in, messages and credit out.
 *
 *   1. What comes beyond the credit, or makes a message too long, is a violation.
 *   2. Credit comes back when a message was consumed; while one is not yet whole, at once, so that it can become whole.
 *   3. Every byte that is held is counted in the channel's budget.
 */
import type { Budget, Creditor } from './budget.ts';
import { dataFlags, frameBytesMax, frameCost, initialCredit } from './frame.ts';
import { ownBytes } from './message-packing.ts';
import { ChannelViolation } from './violation.ts';

/** A whole message, as it came. */
export interface ReceivedMessage {
  readonly pieces: readonly Uint8Array[];
  readonly isPacked: boolean;
  /** What it costs until it was consumed. */
  readonly cost: number;
}

export interface InboxOptions {
  readonly budget: Budget;
  readonly messageBytesMax: number;
  /** Sends credit to the other side. */
  readonly onCredit: (bytes: number) => void;
}

/** Credit that a long message gets ahead: what a fast, far connection has on its way. */
const longMessageCredit = 1_048_576;

export class Inbox implements Creditor {
  readonly #options: InboxOptions;
  readonly #messages: ReceivedMessage[] = [];
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;
  #pieceCost = 0;
  #credit = initialCredit;
  #wholeCost = 0;
  #hasEnded = false;
  #isClosed = false;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Takes a DATA frame. @throws ChannelViolation */
  push(flags: number, payload: Uint8Array): void {
    const cost = payload.length + frameCost;
    const isLast = (flags & dataFlags.LAST) !== 0;
    const isEnd = (flags & dataFlags.END) !== 0;
    if (this.#hasEnded) throw new ChannelViolation('DATA after the end of a conversation');
    if (cost > this.#credit) throw new ChannelViolation(`DATA of ${cost} bytes with a credit of ${this.#credit}`);
    this.#credit -= cost;
    if (isLast || payload.length > 0) this.#gather(payload, cost);
    else if (!isEnd) throw new ChannelViolation('a piece of a message is empty');
    if (isLast) this.#complete((flags & dataFlags.PACKED) !== 0);
    if (isEnd && this.#pieces.length > 0) throw new ChannelViolation('a conversation ends inside a message');
    this.#hasEnded = isEnd;
    this.grant();
  }

  /** The next whole message. */
  take(): ReceivedMessage | undefined {
    return this.#messages.shift();
  }

  get hasMessages(): boolean {
    return this.#messages.length > 0;
  }

  /** `message` was read by its owner: makes room for more. */
  consumed(message: ReceivedMessage): void {
    if (this.#isClosed) return;
    this.#wholeCost -= message.cost;
    this.#options.budget.give(message.cost);
    this.grant();
  }

  grant(): void {
    if (this.#hasEnded || this.#isClosed) return;
    const target = this.#pieces.length > 0 ? longMessageCredit : initialCredit;
    const wanted = target - this.#credit - this.#wholeCost;
    if (wanted < target / 2) return;
    if (!this.#options.budget.allows(this)) return;
    this.#credit += wanted;
    this.#options.onCredit(wanted);
  }

  /** Throws away what is held. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#messages.length = 0;
    this.#pieces = [];
    this.#options.budget.forget(this);
    this.#options.budget.give(this.#wholeCost + this.#pieceCost);
  }

  #gather(payload: Uint8Array, cost: number): void {
    const { budget, messageBytesMax } = this.#options;
    this.#pieceBytes += payload.length;
    if (this.#pieceBytes > messageBytesMax)
      throw new ChannelViolation(`a message has at most ${messageBytesMax} bytes`);
    // A small piece would keep all that arrived together with it.
    this.#pieces.push(payload.length < frameBytesMax / 2 ? ownBytes(payload) : payload);
    this.#pieceCost += cost;
    budget.take(cost);
  }

  #complete(isPacked: boolean): void {
    this.#messages.push({ pieces: this.#pieces, isPacked, cost: this.#pieceCost });
    this.#wholeCost += this.#pieceCost;
    this.#pieces = [];
    this.#pieceBytes = 0;
    this.#pieceCost = 0;
    this.#options.budget.forget(this);
  }
}

/**
 * The conversations of a channel: their numbers, their places, and the turns in which their pieces leave. Pure.
 *
 *   1. Ours get their number when their first piece leaves, so that numbers grow on the wire (rule 2 of the protocol).
 *   2. Ours wait for a place while the other side allows no more; they get it first come, first served.
 *   3. Each turn is one piece; who has more goes to the end of the row (rule 3).
 */
import type { ChannelConversation } from './channel-conversation.ts';
import { conversationMax, frameHeadBytes, frameTypes, type Frame } from './frame.ts';
import { ChannelViolation } from './violation.ts';

export class ConversationTable {
  /** On the wire, by number. */
  readonly #open = new Map<number, ChannelConversation>();
  /** Ours that have no number yet. */
  readonly #fresh = new Set<ChannelConversation>();
  /** Those with something to send, in the order of their turns. */
  readonly #turns = new Set<ChannelConversation>();
  /** Ours that would have a turn but wait for a place. */
  readonly #placeless = new Set<ChannelConversation>();
  readonly #theirsMax: number;
  #oursMax = 0;
  #nextNumber: number;
  #lastTheirs = 0;
  #ours = 0;

  /** `theirsMax`: how many the other side may have open. */
  constructor(side: 'client' | 'server', theirsMax: number) {
    this.#nextNumber = side === 'client' ? 1 : 2;
    this.#theirsMax = theirsMax;
  }

  get size(): number {
    return this.#open.size + this.#fresh.size;
  }

  /** Ours that have not begun. */
  get waiting(): number {
    return this.#fresh.size;
  }

  /** Whether somebody may have something to send. */
  get hasTurns(): boolean {
    return this.#turns.size > 0;
  }

  get isOutOfNumbers(): boolean {
    return this.#nextNumber > conversationMax;
  }

  get all(): readonly ChannelConversation[] {
    return [...this.#open.values(), ...this.#fresh];
  }

  /** The other side said how many of ours may be open. */
  allowOurs(oursMax: number): void {
    this.#oursMax = oursMax;
  }

  add(conversation: ChannelConversation): void {
    if (conversation.number === undefined) this.#fresh.add(conversation);
    else this.#open.set(conversation.number, conversation);
  }

  find(number: number): ChannelConversation | undefined {
    return this.#open.get(number);
  }

  /** Puts a conversation that has something to send at the end of the row. */
  enqueue(conversation: ChannelConversation): void {
    this.#turns.add(conversation);
  }

  /** Checks the number of a conversation that the other side opens. @throws ChannelViolation */
  admit(number: number): void {
    const isTheirs = number > 0 && number % 2 !== this.#nextNumber % 2;
    if (!isTheirs || number <= this.#lastTheirs) {
      throw new ChannelViolation(`conversation ${number} is opened after ${this.#lastTheirs}`);
    }
    if (this.#open.size - this.#ours >= this.#theirsMax) {
      throw new ChannelViolation(`more than ${this.#theirsMax} conversations are open at one time`);
    }
    this.#lastTheirs = number;
  }

  /** A frame for a number that isn't open is late, or wrong. @throws ChannelViolation */
  demandKnown(number: number): void {
    const isTheirs = number % 2 !== this.#nextNumber % 2;
    const isKnown = number > 0 && (isTheirs ? number <= this.#lastTheirs : number < this.#nextNumber);
    if (!isKnown) throw new ChannelViolation(`a frame for conversation ${number}, which was never opened`);
  }

  /** Adds the pieces whose turn it is to `frames`, as many as fit into `roomBytes`. */
  takePieces(frames: Frame[], roomBytes: number): void {
    let room = roomBytes;
    for (const conversation of this.#turns) {
      if (!this.#enter(conversation)) continue;
      const piece = conversation.takePiece(room - frameHeadBytes);
      if (!piece && conversation.isSendable) break;
      this.#turns.delete(conversation);
      if (!piece || conversation.number === undefined) continue;
      room -= frameHeadBytes + piece.payload.length;
      frames.push({ type: frameTypes.DATA, conversation: conversation.number, ...piece });
      if (conversation.isSendable) this.#turns.add(conversation);
      else this.settle(conversation);
    }
  }

  /** Forgets a conversation when no frame of it comes or goes any more. */
  settle(conversation: ChannelConversation): void {
    if (conversation.isWireOver) this.forget(conversation);
    conversation.settle();
  }

  /** @returns whether the other side knows of it */
  forget(conversation: ChannelConversation): boolean {
    this.#turns.delete(conversation);
    this.#fresh.delete(conversation);
    this.#placeless.delete(conversation);
    const { number } = conversation;
    const wasOpen = number !== undefined && this.#open.delete(number);
    if (wasOpen && conversation.isOurs) this.#freePlace();
    return wasOpen;
  }

  clear(): void {
    for (const set of [this.#fresh, this.#turns, this.#placeless]) set.clear();
    this.#open.clear();
  }

  /** Gives one of ours a number when there is a place for it. @returns whether it has one */
  #enter(conversation: ChannelConversation): boolean {
    if (conversation.number !== undefined) return true;
    if (this.#ours >= this.#oursMax) {
      this.#turns.delete(conversation);
      this.#placeless.add(conversation);
      return false;
    }
    conversation.number = this.#nextNumber;
    this.#nextNumber += 2;
    this.#ours += 1;
    this.#fresh.delete(conversation);
    this.#open.set(conversation.number, conversation);
    return true;
  }

  #freePlace(): void {
    this.#ours -= 1;
    const [next] = this.#placeless;
    if (!next) return;
    this.#placeless.delete(next);
    this.#turns.add(next);
  }
}

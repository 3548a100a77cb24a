/**
 * One end of a conversation on a channel. Owns: its outbox and inbox, and the order in which its owner is told things.
 * The channel owns the numbers, the frames and the turns.
 *
 *   1. Messages are handed on one after another; while the owner works on one, the next waits and keeps its credit.
 *   2. `onEnd` comes after the last message, `onClosed` last of all and once, never from within a call of the owner.
 *   3. What the owner throws closes this conversation; what the other side breaks ends the channel.
 */
import { asMvmError, mvmError, type Conversation, type ConversationEvents, type MvmError } from '@mvm-ci/protocol';
import type { Clock } from '../clock.ts';
import type { ChannelLimits } from '../limits.ts';
import type { Budget } from './budget.ts';
import { Inbox, type ReceivedMessage } from './inbox.ts';
import { joinPieces, packMessage, unpackMessage, unpackedLength, type WireMessage } from './message-packing.ts';
import { Outbox, type Piece } from './outbox.ts';
import { ChannelViolation } from './violation.ts';

/** What a conversation needs of its channel. */
export interface ConversationHost {
  readonly clock: Clock;
  readonly budget: Budget;
  readonly limits: ChannelLimits;
  /** Takes room in the queue of the channel. @returns why there is none */
  reserve(bytes: number): MvmError | undefined;
  /** Gives room in the queue back. */
  release(bytes: number): void;
  /** There is something to send. */
  ready(conversation: ChannelConversation): void;
  credit(conversation: ChannelConversation, bytes: number): void;
  /** Forgets the conversation, and tells the other side when it doesn't know yet. */
  close(conversation: ChannelConversation, error: MvmError | undefined): void;
  violate(thrown: ChannelViolation): void;
}

const silent: ConversationEvents = { onMessage: () => undefined, onEnd: () => undefined, onClosed: () => undefined };

export class ChannelConversation implements Conversation {
  /** Its number on the wire; undefined before its first frame has left. */
  number: number | undefined;
  readonly isOurs: boolean;
  readonly #host: ConversationHost;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  #events: ConversationEvents = silent;
  #room: PromiseWithResolvers<void> | undefined;
  #isEnding = false;
  #isBusy = false;
  #hasToldEnd = false;
  #isOver = false;

  constructor(host: ConversationHost, number?: number) {
    this.#host = host;
    this.number = number;
    this.isOurs = number === undefined;
    this.#outbox = new Outbox(this.isOurs);
    this.#inbox = new Inbox({
      budget: host.budget,
      messageBytesMax: host.limits.messageBytesMax,
      onCredit: (bytes) => host.credit(this, bytes),
    });
  }

  get isSendable(): boolean {
    return !this.#isOver && this.#outbox.isSendable;
  }

  /** Whether both sides have said all: no frame of it comes or goes any more. */
  get isWireOver(): boolean {
    return this.#inbox.hasEnded && this.#outbox.isEndSent;
  }

  /** Says who is told. Before anything else. */
  begin(events: ConversationEvents): void {
    this.#events = events;
  }

  send(message: Uint8Array): Promise<void> | undefined {
    if (this.#isOver || this.#isEnding) return undefined;
    const refusal = this.#host.reserve(message.length);
    if (refusal) {
      this.close(refusal);
      return undefined;
    }
    this.#queue(packMessage(message), this.#outbox.add(message.length));
    if (this.#outbox.queuedBytes <= this.#host.limits.sendAheadBytes) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  end(): void {
    if (this.#isOver || this.#isEnding) return;
    this.#isEnding = true;
    this.#outbox.end();
    this.#host.ready(this);
  }

  close(error?: MvmError): void {
    if (this.#isOver) return;
    this.#host.close(this, error);
    this.#finish(error ?? mvmError('CANCELLED', 'the conversation was closed from this side'), 'later');
  }

  /** The other side closed it, or the channel is over. */
  lose(error: MvmError): void {
    if (!this.#isOver) this.#finish(error, 'now');
  }

  /** Takes a DATA frame. @throws ChannelViolation */
  receive(flags: number, payload: Uint8Array): void {
    if (this.#isOver) return;
    this.#inbox.push(flags, payload);
    this.#deliver();
  }

  /** Takes a CREDIT frame. @throws ChannelViolation */
  addCredit(bytes: number): void {
    this.#outbox.addCredit(bytes);
    this.#host.ready(this);
  }

  /** The next piece to send; undefined when there is none, or no room for it. */
  takePiece(roomBytes: number): Piece | undefined {
    const before = this.#outbox.queuedBytes;
    const piece = this.#outbox.take(roomBytes);
    const { queuedBytes } = this.#outbox;
    if (before > queuedBytes) this.#host.release(before - queuedBytes);
    if (queuedBytes <= this.#host.limits.sendAheadBytes / 2) this.#makeRoom();
    return piece;
  }

  /** Its last piece has left, perhaps: ends it when nothing else is open. */
  settle(): void {
    const isDone = this.#hasToldEnd && !this.#isBusy && this.#outbox.isEndSent;
    if (isDone && !this.#isOver) this.#finish(undefined, 'now');
  }

  #queue(wire: WireMessage | Promise<WireMessage>, set: (wire: WireMessage) => void): void {
    const ready = (done: WireMessage): void => {
      set(done);
      this.#host.ready(this);
    };
    if (!(wire instanceof Promise)) ready(wire);
    else wire.then(ready, (thrown: unknown) => this.close(asMvmError(thrown)));
  }

  #deliver(): void {
    while (!this.#isBusy && !this.#isOver) {
      const message = this.#inbox.take();
      if (!message) break;
      this.#hand(message);
    }
    if (this.#isBusy || this.#isOver || !this.#inbox.hasEnded) return;
    if (!this.#hasToldEnd) {
      this.#hasToldEnd = true;
      this.#guard(() => this.#events.onEnd());
    }
    this.settle();
  }

  /** A short message is handed on at once: most are. */
  #hand(message: ReceivedMessage): void {
    const joined = joinPieces(message.pieces, this.#host.clock);
    if (message.isPacked || joined instanceof Promise) return this.#handLater(message, joined);
    const work = this.#guard(() => this.#events.onMessage(joined));
    if (work) void this.#follow(message, work);
    else this.#inbox.consumed(message);
  }

  async #follow(message: ReceivedMessage, work: Promise<unknown>): Promise<void> {
    this.#isBusy = true;
    try {
      await work;
    } catch (thrown) {
      if (thrown instanceof ChannelViolation) this.#host.violate(thrown);
      else this.close(asMvmError(thrown));
    }
    this.#isBusy = false;
    this.#inbox.consumed(message);
    this.#deliver();
  }

  #handLater(message: ReceivedMessage, joined: Uint8Array | Promise<Uint8Array>): void {
    void this.#follow(message, message.isPacked ? this.#unpackAndHand(joined) : this.#joinAndHand(joined));
  }

  async #joinAndHand(joined: Uint8Array | Promise<Uint8Array>): Promise<void> {
    const bytes = await joined;
    if (!this.#isOver) await this.#events.onMessage(bytes);
  }

  async #unpackAndHand(joined: Uint8Array | Promise<Uint8Array>): Promise<void> {
    const { budget, limits } = this.#host;
    const packed = joined instanceof Promise ? await joined : joined;
    const reserved = unpackedLength(packed, limits.messageBytesMax);
    await budget.reserve(reserved);
    try {
      if (this.#isOver) return;
      const unpacked = unpackMessage(packed, limits.messageBytesMax);
      const bytes = unpacked instanceof Promise ? await unpacked : unpacked;
      await this.#joinAndHand(bytes);
    } finally {
      budget.release(reserved);
    }
  }

  #guard<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (thrown) {
      this.close(asMvmError(thrown));
      return undefined;
    }
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #finish(error: MvmError | undefined, when: 'now' | 'later'): void {
    this.#isOver = true;
    this.#inbox.close();
    this.#host.release(this.#outbox.clear());
    this.#makeRoom();
    const tell = (): void => {
      try {
        this.#events.onClosed(error);
      } catch {
        // It is over: nobody is left who could be told.
      }
    };
    if (when === 'now') tell();
    else queueMicrotask(tell);
  }
}

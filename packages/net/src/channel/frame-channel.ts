/**
 * Many conversations on one stream of bytes each way (`docs/internals/peer-stream.md`; the rules below are numbered as
 * there). Owns: the duplex, the numbers of conversations, the turns in which their pieces leave.
 *
 *   1. Nothing is thrown outwards: what the other side breaks ends the channel with a reason (rule 10).
 *   2. One write is under way at a time; what is queued meanwhile leaves in the next (rule 4).
 *   3. `closed` settles once, after every conversation was told.
 */
import {
  asMvmError,
  mvmError,
  type AcceptConversation,
  type Conversation,
  type MvmError,
  type OpenConversation,
} from '@mvm-ci/protocol';
import type { Clock } from '../clock.ts';
import type { ByteDuplex } from '../http/byte-duplex.ts';
import { channelLimits, netLimits, type ChannelLimits } from '../limits.ts';
import { Budget } from './budget.ts';
import { ChannelConversation, type ConversationHost } from './channel-conversation.ts';
import { ConversationTable } from './conversation-table.ts';
import { FrameReader } from './frame-reader.ts';
import {
  channelVersion,
  controlFrame,
  dataFlags,
  encodeFrames,
  frameHeadBytes,
  frameTypes,
  helloPayload,
  ignorableTypesMin,
  readHello,
  readUint32,
  uint32,
  type Frame,
  type Hello,
} from './frame.ts';
import { readReason, reasonOf } from './reason.ts';
import { Silence } from './silence.ts';
import { ChannelViolation } from './violation.ts';

/** How a channel is opened. */
export interface FrameChannelOptions {
  readonly duplex: ByteDuplex;
  /** `client` sent the request whose bodies carry the channel. */
  readonly side: 'client' | 'server';
  readonly clock: Clock;
  /** Takes the conversations that the other side opens. @default they are refused with FORBIDDEN */
  readonly accept?: AcceptConversation | undefined;
  /** @default channelLimits */
  readonly limits?: Partial<ChannelLimits> | undefined;
}

/** An open channel. */
export interface FrameChannel {
  /** Begins a conversation; the other side learns of it by its first message or its end. */
  readonly open: OpenConversation;
  /** Resolves when the channel is over, with the reason unless it ended as it should; never rejects. */
  readonly closed: Promise<MvmError | undefined>;
  /** Whether no new conversation can be opened: either side has said so, or the channel is over. */
  readonly isDraining: boolean;
  /** When something last came from the other side, in `clock.monotonicMs`. */
  readonly lastHeardMs: number;
  /** Conversations that are open now. */
  readonly conversations: number;
  /** Takes and opens no new conversations; the channel ends when the open ones have. Idempotent. */
  end(): void;
  /** Ends everything now; the other side is told `error`. Conversations end with CONNECTION_LOST. Idempotent. */
  close(error?: MvmError): void;
}

/**
 * Makes a channel of a duplex.
 *
 * @example const channel = openFrameChannel({ duplex, side: 'client', clock: systemClock });
 */
export const openFrameChannel = (options: FrameChannelOptions): FrameChannel => new Channel(options);

class Channel implements FrameChannel {
  readonly #options: FrameChannelOptions;
  readonly #clock: Clock;
  readonly #limits: ChannelLimits;
  readonly #host: ConversationHost;
  readonly #table: ConversationTable;
  readonly #frames = new FrameReader();
  readonly #reading: Promise<void>;
  readonly #source: ReadableStreamDefaultReader<Uint8Array>;
  readonly #closed = Promise.withResolvers<MvmError | undefined>();
  readonly #control: Frame[] = [];
  readonly #silence: Silence;
  #hello: Hello | undefined;
  #queuedBytes = 0;
  #isPumping = false;
  #pumping: Promise<void> = Promise.resolve();
  #isEnding = false;
  #isTheirsEnding = false;
  #isOver = false;

  constructor(options: FrameChannelOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#limits = { ...channelLimits, ...options.limits };
    this.#host = this.#makeHost();
    this.#table = new ConversationTable(options.side, this.#limits.conversationsMax);
    this.#source = options.duplex.readable.getReader();
    const { conversationsMax, messageBytesMax, silenceMs } = this.#limits;
    const hello = helloPayload({ version: channelVersion, conversationsMax, messageBytesMax, silenceMs });
    this.#silence = this.#watchSilence();
    this.#say(controlFrame(frameTypes.HELLO, 0, hello));
    this.#reading = this.#readAll();
  }

  get closed(): Promise<MvmError | undefined> {
    return this.#closed.promise;
  }

  get isDraining(): boolean {
    return this.#isEnding || this.#isTheirsEnding || this.#isOver;
  }

  get lastHeardMs(): number {
    return this.#silence.heardMs;
  }

  get conversations(): number {
    return this.#table.size;
  }

  readonly open: OpenConversation = (events): Conversation => {
    const conversation = new ChannelConversation(this.#host);
    conversation.begin(events);
    const refusal = this.#refusal();
    if (refusal) void this.#clock.nextTurn().then(() => conversation.lose(refusal));
    else this.#table.add(conversation);
    return conversation;
  };

  end(): void {
    if (this.#isEnding || this.#isOver) return;
    this.#isEnding = true;
    this.#say(controlFrame(frameTypes.DRAIN));
    this.#goOn();
  }

  close(error?: MvmError): void {
    this.#finish(error, 'tell');
  }

  #makeHost(): ConversationHost {
    return {
      clock: this.#clock,
      limits: this.#limits,
      budget: new Budget(this.#limits.bufferedBytesMax),
      reserve: (bytes) => this.#reserve(bytes),
      release: (bytes) => {
        this.#queuedBytes -= bytes;
      },
      ready: (conversation) => {
        if (this.#isOver || !conversation.isSendable) return;
        this.#table.enqueue(conversation);
        this.#pump();
      },
      credit: ({ number }, bytes) => {
        if (number !== undefined) this.#say(controlFrame(frameTypes.CREDIT, number, uint32(bytes)));
      },
      close: (conversation, error) => {
        const { number } = conversation;
        const isKnown = this.#table.forget(conversation);
        if (isKnown && number !== undefined) this.#say(controlFrame(frameTypes.CLOSE, number, reasonOf(error)));
        this.#goOn();
      },
      violate: (thrown) => this.#violate(thrown),
    };
  }

  #reserve(bytes: number): MvmError | undefined {
    const most = Math.min(this.#limits.messageBytesMax, this.#hello?.messageBytesMax ?? Infinity);
    if (bytes > most) return mvmError('PAYLOAD_TOO_LARGE', `a message has at most ${most} bytes, not ${bytes}`);
    const { queuedBytesMax } = this.#limits;
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes > queuedBytesMax) {
      return mvmError('UNAVAILABLE', `${queuedBytesMax} bytes wait to be sent already`, { queuedBytesMax });
    }
    this.#queuedBytes += bytes;
    return undefined;
  }

  #refusal(): MvmError | undefined {
    if (this.#isOver) return mvmError('CONNECTION_LOST', 'the channel is over');
    if (this.isDraining || this.#table.isOutOfNumbers) return takesNoMore();
    if (this.#table.waiting < this.#limits.waitingMax) return undefined;
    return mvmError('UNAVAILABLE', `${this.#limits.waitingMax} conversations wait for this channel already`);
  }

  #say(frame: Frame): void {
    if (this.#isOver) return;
    this.#control.push(frame);
    if (this.#control.length <= this.#limits.controlFramesMax) return this.#pump();
    this.#finish(lost(`the other side does not read: ${this.#control.length} frames wait for it`), 'hang up');
  }

  #pump(): void {
    if (this.#isPumping || this.#isOver) return;
    this.#isPumping = true;
    this.#pumping = this.#writeAll();
  }

  /** Writes until nothing is left (rule 4). Never rejects. */
  async #writeAll(): Promise<void> {
    await this.#clock.nextTurn();
    while (!this.#isOver) {
      const frames = this.#nextFrames();
      if (frames.length === 0) break;
      try {
        await this.#write(frames);
        this.#goOn();
      } catch (thrown) {
        this.#finish(lost('nobody takes the bytes of the channel', thrown), 'hang up');
      }
    }
    this.#isPumping = false;
  }

  async #write(frames: readonly Frame[]): Promise<void> {
    this.#silence.noteSent();
    await this.#options.duplex.write(encodeFrames(frames));
  }

  /** Control first, then pieces; before the other side's HELLO nothing but ours (rules 1 and 3). */
  #nextFrames(): Frame[] {
    const frames: Frame[] = [];
    let room: number = netLimits.joinedWriteBytesMax;
    for (const frame of this.#control) {
      const isEarly = !this.#hello && frame.type !== frameTypes.HELLO;
      if (isEarly || room < frameHeadBytes + frame.payload.length) break;
      room -= frameHeadBytes + frame.payload.length;
      frames.push(frame);
    }
    this.#control.splice(0, frames.length);
    if (!this.#hello) return frames;
    this.#table.takePieces(frames, room);
    return frames;
  }

  /** A conversation is over: another may have got its place, or it was the last. */
  #goOn(): void {
    if (this.#isEnding && this.#table.size === 0) this.#finish(undefined, 'tell');
    else if (this.#table.hasTurns) this.#pump();
  }

  async #readAll(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#source.read();
        if (done) break;
        if (this.#isOver) continue;
        this.#silence.noteHeard();
        this.#take(value);
      }
      this.#finish(lost('the stream that carried the channel has ended'), 'tell');
    } catch (thrown) {
      this.#finish(lost('the stream that carried the channel broke', thrown), 'hang up');
    }
  }

  #take(bytes: Uint8Array): void {
    try {
      for (const frame of this.#frames.push(bytes)) {
        this.#onFrame(frame);
        if (this.#isOver) return;
      }
    } catch (thrown) {
      if (!(thrown instanceof ChannelViolation)) throw thrown;
      this.#violate(thrown);
    }
  }

  #onFrame(frame: Frame): void {
    if (!this.#hello) return this.#onHello(frame);
    const { type, conversation, payload } = frame;
    switch (type) {
      case frameTypes.DATA:
        return this.#onData(frame);
      case frameTypes.CLOSE:
        return conversation === 0 ? this.#onGoodbye(payload) : this.#onClose(conversation, payload);
      case frameTypes.CREDIT:
        return this.#onCredit(conversation, payload);
      case frameTypes.PING:
        return;
      case frameTypes.DRAIN:
        this.#isTheirsEnding = true;
        return;
      default:
        if (type < ignorableTypesMin) throw new ChannelViolation(`a frame of type ${type} may not stand here`);
    }
  }

  #onHello({ type, payload }: Frame): void {
    const hello = type === frameTypes.HELLO ? readHello(payload) : undefined;
    if (!hello) throw new ChannelViolation('a channel begins with HELLO');
    this.#hello = hello;
    this.#table.allowOurs(hello.conversationsMax);
    this.#silence.agree(hello.silenceMs);
    this.#pump();
  }

  #onData({ conversation: number, flags, payload }: Frame): void {
    const isOpening = (flags & dataFlags.OPEN) !== 0;
    const known = this.#table.find(number);
    if (known && isOpening) throw new ChannelViolation(`conversation ${number} is opened twice`);
    const conversation = isOpening ? this.#accept(number) : known;
    if (!conversation) return isOpening ? undefined : this.#table.demandKnown(number);
    conversation.receive(flags, payload);
    this.#table.settle(conversation);
    this.#goOn();
  }

  /** Takes a conversation of the other side; undefined when it is refused (rule 9). */
  #accept(number: number): ChannelConversation | undefined {
    this.#table.admit(number);
    const { accept } = this.#options;
    if (!accept || this.#isEnding) {
      const refusal = accept ? takesNoMore() : mvmError('FORBIDDEN', 'this side takes no conversations');
      this.#say(controlFrame(frameTypes.CLOSE, number, reasonOf(refusal)));
      return undefined;
    }
    const conversation = new ChannelConversation(this.#host, number);
    this.#table.add(conversation);
    try {
      conversation.begin(accept(conversation));
    } catch (thrown) {
      conversation.close(asMvmError(thrown));
    }
    return conversation;
  }

  #onClose(number: number, payload: Uint8Array): void {
    const conversation = this.#table.find(number);
    if (!conversation) return this.#table.demandKnown(number);
    this.#table.forget(conversation);
    conversation.lose(readReason(payload) ?? mvmError('CANCELLED', 'the other side closed the conversation'));
    this.#goOn();
  }

  #onCredit(number: number, payload: Uint8Array): void {
    const bytes = readUint32(payload);
    if (bytes === undefined) throw new ChannelViolation('CREDIT has 4 bytes');
    const conversation = this.#table.find(number);
    if (conversation) conversation.addCredit(bytes);
    else this.#table.demandKnown(number);
  }

  #onGoodbye(payload: Uint8Array): void {
    const reason = readReason(payload);
    this.#finish(reason && lost(`the other side closed the channel: ${reason.message}`, reason), 'hang up');
  }

  #violate(thrown: ChannelViolation): void {
    const message = `the other side of the channel broke a rule: ${thrown.message}`;
    this.#finish(mvmError('CONNECTION_LOST', message, { violation: thrown.message }), 'tell');
  }

  /** Rule 8. */
  #watchSilence(): Silence {
    const { silenceMs } = this.#limits;
    const lost = (): void => {
      const message = `the other side was silent for ${silenceMs} ms`;
      this.#finish(mvmError('CONNECTION_LOST', message, { silenceMs }), 'hang up');
    };
    const ping = (): void => this.#say(controlFrame(frameTypes.PING));
    return new Silence({ clock: this.#clock, limits: this.#limits, ping, lost });
  }

  /** Ends the channel; `tell` says so to the other side. */
  #finish(error: MvmError | undefined, how: 'tell' | 'hang up'): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#silence.stop();
    const last = [...this.#control.splice(0), controlFrame(frameTypes.CLOSE, 0, reasonOf(error))];
    const open = this.#table.all;
    this.#table.clear();
    const reason = error?.code === 'CONNECTION_LOST' ? error : lost(error?.message ?? 'the channel was closed');
    for (const conversation of open) conversation.lose(reason);
    void this.#hangUp(error, how === 'tell' ? last : undefined);
  }

  /**
   * What is being written goes first, so that the last frame is the last. Then the other side gets time to take it:
   * to give its bytes up at once could throw ours away.
   */
  async #hangUp(reason: MvmError | undefined, last: readonly Frame[] | undefined): Promise<void> {
    if (last) await this.#atMost(this.#limits.closeMs, this.#writeLast(last));
    this.#options.duplex.close(last ? undefined : reason);
    if (last) await this.#atMost(this.#limits.closeMs, this.#reading);
    this.#source.cancel(reason).catch(() => undefined);
    this.#closed.resolve(reason);
  }

  async #writeLast(frames: readonly Frame[]): Promise<void> {
    await this.#pumping;
    await this.#write(frames);
  }

  async #atMost(deadlineMs: number, work: Promise<unknown>): Promise<void> {
    const waited = Promise.withResolvers<void>();
    const timer = this.#clock.after(deadlineMs, () => waited.resolve());
    await Promise.race([work.catch(() => undefined), waited.promise]);
    timer.cancel();
  }
}

const takesNoMore = (): MvmError =>
  mvmError('UNAVAILABLE', 'the channel takes no new conversations: it is about to end');

const lost = (message: string, cause?: unknown): MvmError =>
  mvmError('CONNECTION_LOST', message, undefined, cause === undefined ? undefined : { cause });

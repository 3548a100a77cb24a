import {
  mvmError,
  type AcceptConversation,
  type Conversation,
  type ConversationEvents,
  type MvmError,
  type OpenConversation,
} from '@mvm-ci/protocol';

/** At which message of all conversations, counted from 1 in both directions, the link breaks: before it arrives, or after. */
export interface Cut {
  readonly message: number;
  readonly when: 'before' | 'after';
}

/**
 * Counts the messages of conversations, whatever carries them, and breaks one conversation at a chosen message: the end
 * that is counted is told, as by a lost connection, and the other end is closed.
 */
export class MessageCutter {
  /** Messages so far. */
  messages = 0;
  #cut: Cut | undefined;

  /** Breaks the link once, at this message. */
  arm(cut: Cut): void {
    this.messages = 0;
    this.#cut = cut;
  }

  /** Whether the cut that was armed is still to come. */
  get isArmed(): boolean {
    return this.#cut !== undefined;
  }

  disarm(): void {
    this.#cut = undefined;
  }

  /** `open`, with its messages counted. */
  wrap(open: OpenConversation): OpenConversation {
    return (events) => {
      const counted = new CountedConversation(this, events);
      counted.carriedBy(open(counted));
      return counted;
    };
  }

  /** The same, at the other end. */
  wrapAccept(accept: AcceptConversation): AcceptConversation {
    return (conversation) => {
      const counted = new CountedConversation(this, silent);
      counted.carriedBy(conversation);
      counted.tell(accept(counted));
      return counted;
    };
  }

  /** A message comes by. @returns where it is cut */
  next(): Cut['when'] | undefined {
    this.messages += 1;
    const cut = this.#cut;
    if (cut?.message !== this.messages) return undefined;
    this.#cut = undefined;
    return cut.when;
  }
}

const silent: ConversationEvents = { onMessage: () => undefined, onEnd: () => undefined, onClosed: () => undefined };

class CountedConversation implements Conversation, ConversationEvents {
  readonly #cutter: MessageCutter;
  #inner: Conversation | undefined;
  #events: ConversationEvents;
  #isOver = false;

  constructor(cutter: MessageCutter, events: ConversationEvents) {
    this.#cutter = cutter;
    this.#events = events;
  }

  carriedBy(inner: Conversation): void {
    this.#inner = inner;
  }

  tell(events: ConversationEvents): void {
    this.#events = events;
  }

  send(message: Uint8Array): Promise<void> | undefined {
    return this.#pass(() => this.#inner?.send(message)) ?? undefined;
  }

  end(): void {
    this.#inner?.end();
  }

  close(error?: MvmError): void {
    this.#inner?.close(error);
  }

  onMessage(message: Uint8Array): Promise<void> | void {
    return this.#pass(() => this.#events.onMessage(message));
  }

  onEnd(): void {
    if (!this.#isOver) this.#events.onEnd();
  }

  onClosed(error: MvmError | undefined): void {
    if (!this.#isOver) this.#events.onClosed(error);
    this.#isOver = true;
  }

  #pass<T>(deliver: () => T): T | undefined {
    if (this.#isOver) return undefined;
    const cut = this.#cutter.next();
    if (cut !== 'before') {
      const result = deliver();
      if (cut === undefined) return result;
    }
    this.#break();
    return undefined;
  }

  /** In a turn of its own: a message that was just sent is on its way by then. */
  #break(): void {
    const lost = mvmError('CONNECTION_LOST', 'the link was cut at this message');
    this.#isOver = true;
    setImmediate(() => {
      this.#events.onClosed(lost);
      this.#inner?.close(lost);
    });
  }
}

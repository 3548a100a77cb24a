import { mvmError, type Conversation, type ConversationEvents, type OpenConversation } from '@mvm-ci/protocol';

/** At which message of all conversations, counted from 1 in both directions, the link breaks: before it arrives, or after. */
export interface Cut {
  readonly message: number;
  readonly when: 'before' | 'after';
}

/**
 * Counts the messages of conversations, whatever carries them, and breaks one conversation at a chosen message: its
 * holder is told, as by a lost connection, and the engine's end is closed.
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
    return (events) => new CountedConversation(this, open, events);
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

class CountedConversation implements Conversation {
  readonly #cutter: MessageCutter;
  readonly #inner: Conversation;
  readonly #events: ConversationEvents;
  #isOver = false;

  constructor(cutter: MessageCutter, open: OpenConversation, events: ConversationEvents) {
    this.#cutter = cutter;
    this.#events = events;
    this.#inner = open({
      onMessage: (message) => this.#pass(() => events.onMessage(message)),
      onEnd: () => {
        if (!this.#isOver) events.onEnd();
      },
      onClosed: (error) => {
        if (!this.#isOver) events.onClosed(error);
        this.#isOver = true;
      },
    });
  }

  send(message: Uint8Array): Promise<void> | undefined {
    return this.#pass(() => this.#inner.send(message)) ?? undefined;
  }

  end(): void {
    this.#inner.end();
  }

  close(): void {
    this.#inner.close();
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
      this.#inner.close(lost);
    });
  }
}

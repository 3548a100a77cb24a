/**
 * One conversation between two processes as a port: whole messages both ways, in order, over whatever carries them (a
 * frame channel of `@mvm-ci/net`, or two ends in memory).
 */
import type { MvmError } from '../error.ts';

/** One end of a conversation. */
export interface Conversation {
  /**
   * Sends a message. Messages arrive whole and in order, or the conversation is over. Legal after the end: then nothing
   * is sent.
   *
   * @returns undefined while there is room; otherwise a promise that resolves when there is, and never rejects. Who
   * sends much waits for it; small messages need not.
   */
  send(message: Uint8Array): Promise<void> | undefined;
  /** Says that no further message comes from this side. Idempotent. */
  end(): void;
  /** Ends both directions at once; the other side gets `error` when one is given, else CANCELLED. Idempotent. */
  close(error?: MvmError): void;
}

/** What the owner of one end is told. Nothing is called after `onClosed`. */
export interface ConversationEvents {
  /** A whole message. While a promise that it returns is pending, the next one waits and the sender feels it. */
  onMessage(message: Uint8Array): Promise<void> | void;
  /** The other side has said all that it will say. */
  onEnd(): void;
  /**
   * The conversation is over; called once. Undefined when both sides have ended it, else why: what the other side gave to
   * `close`, CANCELLED, or CONNECTION_LOST when what carried it is gone.
   */
  onClosed(error: MvmError | undefined): void;
}

/** Begins a conversation with the other side; `events` are called from the next turn on. */
export type OpenConversation = (events: ConversationEvents) => Conversation;

/** Takes a conversation that the other side began. */
export type AcceptConversation = (conversation: Conversation) => ConversationEvents;

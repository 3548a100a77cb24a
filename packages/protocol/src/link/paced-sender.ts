import type { Conversation } from '../port/conversation.ts';

/**
 * Sends messages in their order for callers that don't wait: what finds no room is kept here until there is. What is kept
 * is bounded by what its callers have to say: a run's journal.
 */
export class PacedSender {
  readonly #conversation: Pick<Conversation, 'send' | 'end'>;
  readonly #waiting: Uint8Array[] = [];
  #isFull = false;
  /** Of those who wait until nothing does. */
  #roomy = Promise.withResolvers<void>();
  #isEnding = false;

  constructor(conversation: Pick<Conversation, 'send' | 'end'>) {
    this.#conversation = conversation;
  }

  send(message: Uint8Array): void {
    if (this.#isFull) this.#waiting.push(message);
    else this.#pass(message);
  }

  /** Resolves when nothing waits for room: perhaps never, if the conversation ends before. */
  async room(): Promise<void> {
    if (this.#isFull) await this.#roomy.promise;
  }

  /** Says that no further message comes, behind all that wait. */
  end(): void {
    this.#isEnding = true;
    if (!this.#isFull) this.#conversation.end();
  }

  #pass(message: Uint8Array): void {
    const room = this.#conversation.send(message);
    if (!room) return;
    this.#isFull = true;
    void room.then(() => this.#goOn());
  }

  #goOn(): void {
    this.#isFull = false;
    while (!this.#isFull) {
      const next = this.#waiting.shift();
      if (!next) break;
      this.#pass(next);
    }
    if (this.#isFull) return;
    this.#roomy.resolve();
    this.#roomy = Promise.withResolvers();
    if (this.#isEnding) this.#conversation.end();
  }
}

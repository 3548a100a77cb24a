/**
 * The inbox of a run's job at the engine's end of a link. It owns the items that the holder has sent and that the run hasn't
 * taken.
 *
 *   1. One question to the holder is open at a time; a message may be the answer to an older one, or a part of an answer: items
 *      count by their numbers.
 *   2. What is kept is bounded: a holder that sends more than an inbox takes breaks the protocol.
 */
import { limits, mvmError, type EngineMessage, type InboxItem } from '@mvm-ci/protocol';

interface Question {
  readonly after: number;
  readonly answer: (items: readonly InboxItem[]) => void;
}

export class LinkInbox {
  readonly #say: (message: EngineMessage) => void;
  #items: InboxItem[] = [];
  #question: Question | undefined;

  /** `say` sends a message to the holder. */
  constructor(say: (message: EngineMessage) => void) {
    this.#say = say;
  }

  /** Items have come. @throws LIMIT_EXCEEDED */
  take(items: readonly InboxItem[]): void {
    if (this.#items.length + items.length > limits.inboxItemsMax)
      throw mvmError('LIMIT_EXCEEDED', `an inbox has at most ${limits.inboxItemsMax} items`);
    for (const item of items) this.#items.push(item);
    if (this.#question) this.#settle(this.#question);
  }

  /** Gives out all that has come. */
  drain(): readonly InboxItem[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }

  /** See `RunPorts.inbox`. */
  after(after: number, signal: AbortSignal): Promise<readonly InboxItem[]> {
    const { promise, resolve } = Promise.withResolvers<readonly InboxItem[]>();
    const question = { after, answer: resolve };
    this.#question = question;
    if (this.#settle(question)) return promise;
    this.#say({ type: 'listen', after });
    signal.addEventListener('abort', () => this.#withdraw(question), { once: true });
    return promise;
  }

  /** @returns whether there was something to answer it with */
  #settle(question: Question): boolean {
    const items = this.drain().filter(({ number }) => number > question.after);
    if (items.length === 0) return false;
    this.#question = undefined;
    question.answer(items);
    return true;
  }

  #withdraw(question: Question): void {
    if (this.#question !== question) return;
    this.#question = undefined;
    this.#say({ type: 'hush' });
    question.answer([]);
  }
}

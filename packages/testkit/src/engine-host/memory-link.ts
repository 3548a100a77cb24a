/** Conversations in memory: what one end sends, the other end gets in a later turn, one message after another. */
import { mvmError, type AcceptConversation, type Conversation, type ConversationEvents } from '@mvm-ci/protocol';
import type { MvmError, OpenConversation } from '@mvm-ci/protocol';

/** Messages on their way to one end, before its sender is asked to wait. */
const aheadMax = 4;

type Item = { readonly type: 'message'; readonly bytes: Uint8Array } | { readonly type: 'end' };

/** A way to open conversations with `accept`; all of them end when it is cut. */
export class MemoryLink {
  readonly #accept: AcceptConversation;
  readonly #open = new Set<MemoryEnd>();
  readonly closed: Promise<MvmError | undefined>;
  readonly #closed = Promise.withResolvers<MvmError | undefined>();
  #error: MvmError | undefined;

  constructor(accept: AcceptConversation) {
    this.#accept = accept;
    this.closed = this.#closed.promise;
  }

  readonly open: OpenConversation = (events) => {
    const [near, far] = [new MemoryEnd(), new MemoryEnd()];
    near.connect(far, events);
    far.connect(near, this.#accept(far));
    this.#open.add(near);
    if (this.#error) near.break(this.#error);
    return near;
  };

  /** Ends all conversations, as a lost connection does. Idempotent. */
  close(error: MvmError = mvmError('CONNECTION_LOST', 'the link was cut')): void {
    this.#error ??= error;
    for (const end of this.#open) end.break(error);
    this.#closed.resolve(error);
  }
}

class MemoryEnd implements Conversation {
  #other: MemoryEnd | undefined;
  #events: ConversationEvents | undefined;
  readonly #inbox: Item[] = [];
  #room: PromiseWithResolvers<void> | undefined;
  #isPumping = false;
  #hasEnded = false;
  #isOver = false;

  connect(other: MemoryEnd, events: ConversationEvents): void {
    this.#other = other;
    this.#events = events;
  }

  send(message: Uint8Array): Promise<void> | undefined {
    if (this.#isOver || this.#hasEnded) return undefined;
    return this.#other?.put({ type: 'message', bytes: new Uint8Array(message) });
  }

  end(): void {
    if (this.#isOver || this.#hasEnded) return;
    this.#hasEnded = true;
    void this.#other?.put({ type: 'end' });
  }

  close(error: MvmError = mvmError('CANCELLED', 'the conversation was closed')): void {
    this.break(error);
  }

  /** Both ends are over. */
  break(error: MvmError): void {
    this.over(error);
    this.#other?.over(error);
  }

  put(item: Item): Promise<void> | undefined {
    if (this.#isOver) return undefined;
    this.#inbox.push(item);
    void this.#pump();
    if (this.#inbox.length <= aheadMax) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  async #pump(): Promise<void> {
    if (this.#isPumping) return;
    this.#isPumping = true;
    await turn();
    for (let item = this.#inbox.shift(); item && !this.#isOver; item = this.#inbox.shift()) {
      if (item.type === 'message') await this.#events?.onMessage(item.bytes);
      else this.#heardEnd();
      this.#giveRoom();
      await turn();
    }
    this.#isPumping = false;
  }

  #heardEnd(): void {
    this.#events?.onEnd();
    if (!this.#hasEnded) return;
    this.over(undefined);
    this.#other?.over(undefined);
  }

  #giveRoom(): void {
    if (this.#inbox.length > aheadMax) return;
    this.#room?.resolve();
    this.#room = undefined;
  }

  /** This end is over. */
  over(error: MvmError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#inbox.length = 0;
    this.#giveRoom();
    setImmediate(() => this.#events?.onClosed(error));
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

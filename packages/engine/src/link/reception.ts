/** The engine's end of a conversation before its first message, which tells what the holder wants, and whoever serves it from then on. */
import {
  asMvmError,
  decodeHolderMessage,
  mvmError,
  type Conversation,
  type ConversationEvents,
  type HolderMessage,
} from '@mvm-ci/protocol';

/** Serves what the first message asks for. */
export interface Served extends ConversationEvents {
  /** The first message; called once. What breaks the protocol ends the conversation. */
  begin(message: HolderMessage): void;
}

export interface ReceptionOptions {
  readonly conversation: Conversation;
  readonly run: () => Served;
  readonly replay: () => Served;
}

export class Reception implements ConversationEvents {
  readonly #options: ReceptionOptions;
  #served: Served | undefined;
  #isOver = false;

  constructor(options: ReceptionOptions) {
    this.#options = options;
  }

  onMessage(bytes: Uint8Array): Promise<void> | void {
    if (this.#served) return this.#served.onMessage(bytes);
    if (!this.#isOver) this.#begin(bytes);
  }

  onEnd(): void {
    if (this.#served) this.#served.onEnd();
    else this.#close(mvmError('CONNECTION_LOST', 'the holder has ended the conversation'));
  }

  onClosed(error: Parameters<ConversationEvents['onClosed']>[0]): void {
    this.#isOver = true;
    this.#served?.onClosed(error);
  }

  #begin(bytes: Uint8Array): void {
    const { run, replay } = this.#options;
    try {
      const message = decodeHolderMessage(bytes);
      this.#served = message.type === 'replay' ? replay() : run();
      this.#served.begin(message);
    } catch (error) {
      this.#close(asMvmError(error));
    }
  }

  #close(error: ReturnType<typeof mvmError>): void {
    this.#isOver = true;
    this.#options.conversation.close(error);
  }
}

/**
 * The holder's end of a conversation about one replay: `docs/internals/engine-link.md`, "Replays".
 *
 *   1. `ended` settles once; what comes afterwards is not listened to.
 *   2. An engine that says nothing is not waited for longer than `workerLimits.linkReplayMsMax`.
 */
import type { QueryRequest, ReplayRequest } from '@mvm-ci/engine';
import {
  asMvmError,
  decodeEngineMessage,
  encodeEntry,
  encodeLinkMessage,
  errorFromRecord,
  joinIntoPieces,
  linkVersion,
  mvmError,
  snapshotPieces,
  type Conversation,
  type ConversationEvents,
  type EngineMessage,
  type ErrandOutcome,
  type HolderMessage,
  type MvmError,
  type OpenConversation,
  type Timer,
} from '@mvm-ci/protocol';
import type { Clock } from '../clock.ts';
import { workerLimits } from '../limits.ts';
import type { ModuleSource } from '../module-source.ts';
import { carryModule } from './module-carrier.ts';

export interface LinkReplayOptions {
  readonly open: OpenConversation;
  readonly request: ReplayRequest & Partial<Pick<QueryRequest, 'name' | 'args' | 'snapshot'>>;
  /** For an engine that asks for the module. */
  readonly modules: ModuleSource;
  readonly clock: Pick<Clock, 'after'>;
  /** Fires when nobody waits for it any more. */
  readonly signal: AbortSignal;
}

export class LinkReplay implements ConversationEvents {
  readonly #options: LinkReplayOptions;
  readonly #conversation: Conversation;
  readonly #settle = Promise.withResolvers<ErrandOutcome>();
  readonly #patience: Timer;
  /** Fires when it is over. */
  readonly #over = new AbortController();

  /** Begins at once. */
  constructor(options: LinkReplayOptions) {
    const { open, clock, signal } = options;
    const ms = workerLimits.linkReplayMsMax;
    this.#options = options;
    this.#conversation = open(this);
    this.#patience = clock.after(ms, () =>
      this.#fail(mvmError('DEADLINE_EXCEEDED', `the engine server did not answer within ${ms / 1_000} s`)),
    );
    const giveUp = (): void => this.#fail(mvmError('CANCELLED', 'nobody waits for the replay any more'));
    signal.addEventListener('abort', giveUp, { once: true, signal: this.#over.signal });
    this.#begin();
    if (signal.aborted) giveUp();
  }

  /** What came of it. Rejects when it was not done: the link is gone, or the engine busy. */
  get ended(): Promise<ErrandOutcome> {
    return this.#settle.promise;
  }

  onMessage(bytes: Uint8Array): void {
    if (this.#over.signal.aborted) return;
    try {
      this.#take(decodeEngineMessage(bytes));
    } catch (error) {
      this.#fail(asMvmError(error));
    }
  }

  onEnd(): void {
    this.#fail(mvmError('CONNECTION_LOST', 'the engine has ended the conversation before the replay'));
  }

  onClosed(error: MvmError | undefined): void {
    this.#fail(error ?? mvmError('CONNECTION_LOST', 'the conversation with the engine is over'));
  }

  #begin(): void {
    const { job, attempt, module, workflow, name, args = 'null' } = this.#options.request;
    const query = name === undefined ? {} : { query: { name, args } };
    void this.#send({ type: 'replay', protocol: linkVersion, job, attempt, module, workflow, ...query });
  }

  #take(message: EngineMessage): void {
    const { request, modules } = this.#options;
    const { signal } = this.#over;
    switch (message.type) {
      case 'admitted':
        return void this.#carry();
      case 'want-module':
        return void carryModule({ module: request.module, modules, send: (part) => this.#send(part), signal });
      case 'busy':
        return this.#fail(errorFromRecord(message.error));
      case 'replayed':
        return this.#end(message.outcome);
      default:
        throw mvmError('INVALID_ARGUMENT', `an engine said "${message.type}" about a replay`);
    }
  }

  /** Each piece when there is room for it. */
  async #carry(): Promise<void> {
    const { journal, snapshot } = this.#options.request;
    for (const bytes of joinIntoPieces(encoded(journal))) await this.#send({ type: 'journal', bytes });
    for (const piece of snapshot ? snapshotPieces(snapshot) : []) await this.#send({ type: 'snapshot', ...piece });
    await this.#send({ type: 'ready', entries: journal.length });
  }

  #send(message: HolderMessage): Promise<void> | undefined {
    return this.#over.signal.aborted ? undefined : this.#conversation.send(encodeLinkMessage(message));
  }

  #end(outcome: ErrandOutcome): void {
    this.#finish();
    this.#conversation.end();
    this.#settle.resolve(outcome);
  }

  #fail(error: MvmError): void {
    if (this.#over.signal.aborted) return;
    this.#finish();
    this.#conversation.close();
    this.#settle.reject(error);
  }

  #finish(): void {
    this.#over.abort();
    this.#patience.cancel();
  }
}

function* encoded(journal: ReplayRequest['journal']): Generator<Uint8Array, void, void> {
  for (const entry of journal) yield encodeEntry(entry);
}

/**
 * The holder's end of one run's conversation with an engine: `docs/internals/engine-link.md`.
 *
 *   1. `ended` settles once; what comes afterwards is not listened to.
 *   2. Whatever ends the conversation before the run's end interrupts the run.
 *   3. What the engine says is not trusted: only a finish that the sink accepted is one.
 *   4. Where the journal is kept by the engine, its word on the end is waited for, also after `drop`: the finish may have been
 *      accepted already.
 */
import type { JournalSink } from '@mvm-ci/engine';
import {
  asMvmError,
  commonFeatures,
  decodeEngineMessage,
  decodeEntries,
  encodeLinkMessage,
  errorFromRecord,
  limits,
  linkVersion,
  mvmError,
  type BlobPort,
  type ClaimedJob,
  type Conversation,
  type ConversationEvents,
  type EngineMessage,
  type FinishOutcome,
  type HolderMessage,
  type InboxItem,
  type JournalEntry,
  type LinkFeature,
  type MvmError,
} from '@mvm-ci/protocol';
import type { HostPorts, HostRun, HostRunEnd } from '../engine-host.ts';
import type { ModuleSource } from '../module-source.ts';
import { BlobDesk } from './blob-desk.ts';
import { JournalCarrier } from './journal-carrier.ts';
import type { LinkConnection } from './link-dialer.ts';
import { carryModule } from './module-carrier.ts';
import { SnapshotDesk } from './snapshot-desk.ts';

export interface LinkRunOptions {
  readonly connection: () => Promise<LinkConnection>;
  readonly job: ClaimedJob;
  readonly ports: HostPorts;
  /** See `RunMessage`. */
  readonly journal: 'carried' | 'kept';
  readonly modules: ModuleSource;
  /** Where the blobs of the job are, for an engine that has none of them. @default the engine isn't offered any */
  readonly blobs?: BlobPort | undefined;
  /** The engine has a place for the run, or none. */
  readonly onAdmission: (refusal: MvmError | undefined) => void;
}

export class LinkRun implements HostRun, ConversationEvents {
  readonly #options: LinkRunOptions;
  readonly #settle = Promise.withResolvers<HostRunEnd>();
  /** Fires when the run is over. */
  readonly #over = new AbortController();
  readonly #blobs: BlobDesk;
  #conversation: Conversation | undefined;
  /** What was said before there was a conversation. */
  readonly #early: HolderMessage[] = [];
  readonly #journal: JournalCarrier;
  #hasBegun = false;
  /** Entries of a call that is not complete, and their bytes. */
  #entries: JournalEntry[] = [];
  #entryBytes = 0;
  /** What both ends can do; nothing before the run is admitted. */
  #shared: readonly LinkFeature[] = [];
  readonly #snapshots: SnapshotDesk;
  /** The engine's question to the inbox. */
  #listening: AbortController | undefined;
  /** Whether the engine has a reason to drop the run. */
  #mayDrop = false;

  constructor(options: LinkRunOptions) {
    this.#options = options;
    const { job, blobs, ports, journal } = options;
    const say = (message: HolderMessage): void => this.#say(message);
    this.#blobs = new BlobDesk({ job: job.job, blobs, say, signal: this.#over.signal });
    const save = journal === 'carried' ? ports.saveSnapshot?.bind(ports) : undefined;
    this.#snapshots = new SnapshotDesk({ save, say });
    this.#journal = new JournalCarrier({
      openJournal: (wish) => ports.openJournal(wish),
      send: (message) => this.#send(message),
      signal: this.#over.signal,
    });
    this.#begin().catch((error: unknown) => this.#interrupt(asMvmError(error)));
  }

  get ended(): Promise<HostRunEnd> {
    return this.#settle.promise;
  }

  cancel(reason: string): void {
    this.#say({ type: 'cancel', reason });
  }

  release(): void {
    this.#say({ type: 'release' });
  }

  /** Undefined until the engine has said that it can: then `release` is the way. */
  get handOver(): (() => void) | undefined {
    return this.#shared.includes('hand-over') ? () => this.#say({ type: 'hand-over' }) : undefined;
  }

  drop(): void {
    if (this.#over.signal.aborted) return;
    this.#mayDrop = true;
    if (this.#options.journal === 'kept' && this.#conversation) this.#say({ type: 'drop' });
    else this.#end({ type: 'dropped' });
  }

  onMessage(bytes: Uint8Array): void {
    try {
      this.#hear(decodeEngineMessage(bytes));
    } catch (error) {
      this.#interrupt(asMvmError(error));
    }
  }

  onEnd(): void {
    this.#interrupt(mvmError('CONNECTION_LOST', 'the engine has ended the conversation before the run'));
    this.#conversation?.end();
  }

  onClosed(error: MvmError | undefined): void {
    this.#interrupt(error ?? mvmError('CONNECTION_LOST', 'the conversation with the engine is over'));
  }

  async #begin(): Promise<void> {
    const { connection, job, journal, ports } = this.#options;
    const { open } = await connection();
    if (this.#over.signal.aborted) return;
    this.#conversation = open(this);
    this.#say({ type: 'run', protocol: linkVersion, journal, features: this.#features, ...job });
    for (const message of this.#early) this.#say(message);
    // Nothing to fetch, nothing to send: the run begins without a round trip.
    const isFresh = ports.isFresh ?? job.journalEntries === 0;
    if (journal === 'carried' && isFresh) this.#sendJournal();
  }

  /** What this holder can do beyond the protocol's number. */
  get #features(): readonly LinkFeature[] {
    const { blobs, journal, ports } = this.#options;
    return [
      ...(blobs ? (['blobs'] as const) : []),
      ...(journal === 'carried' && ports.saveSnapshot ? (['snapshots', 'tails'] as const) : []),
      'hand-over',
    ];
  }

  #hear(message: EngineMessage): void {
    if (message.type === 'ended') this.#engineEnded(message.outcome);
    else if (message.type === 'replayed')
      throw mvmError('INVALID_ARGUMENT', 'the engine answers a question that this run did not ask');
    else if (!this.#over.signal.aborted) this.#take(message);
  }

  #take(message: Exclude<EngineMessage, { readonly type: 'ended' | 'replayed' }>): void {
    switch (message.type) {
      case 'admitted':
        return this.#admitted(message.features);
      case 'busy':
        return this.#refused(errorFromRecord(message.error));
      case 'want-module':
        return void this.#sendModule();
      case 'want-left-out':
        return this.#journal.sendLeftOut();
      case 'entries':
        return this.#gather(message.bytes);
      case 'append':
      case 'finish':
        return this.#call(message);
      case 'listen':
        return this.#listen(message.after);
      case 'hush':
        return this.#listening?.abort();
      case 'ask':
        return void this.#answerAsk(message.ask);
      case 'blob':
        return this.#blobs.take(message.blob, message.talk);
      case 'snapshot':
        return this.#snapshots.take(message);
      case 'fault':
        return this.#fail(errorFromRecord(message.error));
    }
  }

  #admitted(features: readonly string[] | undefined): void {
    this.#hasBegun = true;
    this.#shared = commonFeatures(this.#features, features);
    this.#options.onAdmission(undefined);
    if (this.#options.journal === 'carried') this.#sendJournal();
  }

  #refused(error: MvmError): void {
    this.#options.onAdmission(error);
    this.#interrupt(error);
  }

  #sendJournal(): void {
    this.#journal.carry(this.#shared).catch((error: unknown) => this.#fail(asMvmError(error)));
  }

  /** Asks until there is something; one question at a time. */
  #listen(after: number): void {
    this.#listening?.abort();
    const listening = new AbortController();
    this.#listening = listening;
    const signal = AbortSignal.any([listening.signal, this.#over.signal]);
    this.#pushInbox(after, signal).catch((error: unknown) => {
      if (!signal.aborted) this.#interrupt(asMvmError(error));
    });
  }

  async #pushInbox(after: number, signal: AbortSignal): Promise<void> {
    const items = await this.#options.ports.inbox(after, signal);
    if (!signal.aborted) await this.#journal.sendInbox(items);
  }

  async #sendModule(): Promise<void> {
    const { modules, job } = this.#options;
    const send = (message: HolderMessage): Promise<void> | undefined => this.#send(message);
    await carryModule({ module: job.module, modules, send, signal: this.#over.signal });
  }

  /** Rule 3: what one call adds is no more than a journal can hold. */
  #gather(bytes: Uint8Array): void {
    const entries = decodeEntries(bytes);
    this.#entryBytes += bytes.length;
    if (this.#entryBytes > limits.journalBytesMax || this.#entries.length + entries.length > limits.journalEntriesMax)
      throw mvmError('LIMIT_EXCEEDED', `a journal has at most ${limits.journalEntriesMax} entries`);
    for (const entry of entries) this.#entries.push(entry);
  }

  #call(message: EngineMessage & { readonly type: 'append' | 'finish' }): void {
    const called = message.type === 'append' ? this.#append(message) : this.#finish(message);
    called.catch((error: unknown) => this.#sinkRefused(message.call, asMvmError(error)));
  }

  #append({ call, bytes, progress, internal }: EngineMessage & { readonly type: 'append' }): Promise<void> {
    return this.#openSink()
      .append(this.#gathered(bytes), { progress, internal })
      .then(({ refused }) => this.#ack(call, refused));
  }

  #ack(call: number, refused: readonly InboxItem[]): void {
    const leaseLeftMs = this.#options.ports.leaseLeftMs();
    this.#say({ type: 'ack', call, leaseLeftMs, ...(refused.length > 0 && { refused }) });
  }

  #finish({ call, bytes, outcome, internal }: EngineMessage & { readonly type: 'finish' }): Promise<void> {
    return this.#openSink()
      .finish(this.#gathered(bytes), outcome, { internal })
      .then(() => this.#finished(call, outcome));
  }

  #finished(call: number, outcome: FinishOutcome): void {
    this.#say({ type: 'ack', call, leaseLeftMs: 0 });
    this.#settleAs({ type: 'finished', outcome });
  }

  #sinkRefused(call: number, error: MvmError): void {
    this.#mayDrop = true;
    this.#say({ type: 'refused', call, error: error.toRecord() });
  }

  /** What was gathered, and what is in `bytes`. */
  #gathered(bytes: Uint8Array): readonly JournalEntry[] {
    this.#gather(bytes);
    const entries = this.#entries;
    this.#entries = [];
    this.#entryBytes = 0;
    return entries;
  }

  #openSink(): JournalSink {
    const { sink } = this.#journal;
    if (sink) return sink;
    throw mvmError('INVALID_ARGUMENT', 'the engine writes a journal that it was not given');
  }

  async #answerAsk(ask: number): Promise<void> {
    const { ports } = this.#options;
    const { signal } = this.#over;
    let leaseLeftMs = 0;
    // The deadline may pass between the two looks.
    while (leaseLeftMs === 0 && (await ports.mayStartEffect(signal))) leaseLeftMs = ports.leaseLeftMs();
    if (signal.aborted) return;
    if (leaseLeftMs === 0) this.#mayDrop = true;
    this.#say({ type: 'lease', ask, leaseLeftMs });
  }

  #engineEnded(outcome: FinishOutcome | null): void {
    this.#conversation?.end();
    if (this.#over.signal.aborted) return;
    if (this.#options.journal === 'kept') this.#settleAs(outcome ? { type: 'finished', outcome } : { type: 'dropped' });
    else if (this.#mayDrop) this.#settleAs({ type: 'dropped' });
    else this.#interrupt(mvmError('CONNECTION_LOST', 'the engine has dropped the run'));
  }

  #say(message: HolderMessage): void {
    void this.#send(message);
  }

  #send(message: HolderMessage): Promise<void> | undefined {
    if (this.#over.signal.aborted) return undefined;
    if (this.#conversation) return this.#conversation.send(encodeLinkMessage(message));
    this.#early.push(message);
    return undefined;
  }

  #interrupt(error: MvmError): void {
    const type = this.#mayDrop ? 'dropped' : 'interrupted';
    this.#end(type === 'dropped' ? { type } : { type, error, hasBegun: this.#hasBegun });
  }

  #end(end: HostRunEnd): void {
    if (this.#over.signal.aborted) return;
    this.#settleAs(end);
    this.#conversation?.close();
  }

  #fail(error: MvmError): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#settle.reject(error);
    this.#conversation?.close();
  }

  #settleAs(end: HostRunEnd): void {
    this.#over.abort();
    this.#settle.resolve(end);
  }
}

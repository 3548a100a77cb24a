/**
 * The engine's end of one run's conversation: `docs/internals/engine-link.md`.
 *
 *   1. A place is taken before anything else is done, and given back when the engine has freed all that the run held.
 *   2. When the conversation is over, however, the run is dropped at once: no effect starts, and nothing more is said.
 *   3. Nothing that comes over the link is trusted: what breaks the order or the limits ends the conversation.
 *   4. A holder that says nothing while it is waited for keeps no place.
 */
import {
  asMvmError,
  commonFeatures,
  decodeHolderMessage,
  encodeLinkMessage,
  errorFromRecord,
  joinByteStrings,
  limits,
  linkVersion,
  mvmError,
  PacedSender,
  RetryLaterError,
  StaleLeaseError,
  type Clock,
  type Conversation,
  type EngineMessage,
  type FinishOutcome,
  type HolderMessage,
  type InboxItem,
  type LinkFeature,
  type MvmError,
  type RunMessage,
} from '@mvm-ci/protocol';
import type { Engine, EngineRun, RunPorts, RunRequest } from '../engine.ts';
import type { Snapshot } from '../guest/guest-state.ts';
import type { JournalKeeper, KeptJournal } from './journal-keeper.ts';
import { CarriedJournal } from './carried-journal.ts';
import { LeaseGate } from './lease-gate.ts';
import { LinkBlobs } from './link-blobs.ts';
import { LinkInbox } from './link-inbox.ts';
import { LinkSink } from './link-sink.ts';
import { LinkSnapshots } from './link-snapshots.ts';
import type { ModuleDesk } from './module-desk.ts';
import { PartIntake } from './part-intake.ts';
import type { Served } from './reception.ts';

/** What all runs of a server share. */
export interface ServedRunParts {
  readonly engine: Pick<Engine, 'run'>;
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
  /** Where the engine gets its modules, when it gets them from the holders. */
  readonly modules: ModuleDesk | undefined;
  /** Journals that don't come over the link. */
  readonly keeper: JournalKeeper | undefined;
  /** What it can do beyond the protocol's number. */
  readonly features: readonly LinkFeature[];
  /** Takes a place. @returns why there is none */
  readonly onAdmit: (run: ServedRun) => MvmError | undefined;
  /** Gives the place back. */
  readonly onFreed: (run: ServedRun) => void;
}

type Phase =
  | { readonly type: 'new' }
  /** The journal is on its way. */
  | { readonly type: 'opening'; readonly request: RunMessage }
  | { readonly type: 'running'; readonly run: EngineRun }
  | { readonly type: 'over' };

type Wish = { readonly type: 'cancel'; readonly reason: string } | { readonly type: 'release' | 'hand-over' };

export class ServedRun implements Served {
  readonly #conversation: Conversation;
  readonly #parts: ServedRunParts;
  readonly #sender: PacedSender;
  readonly #gate: LeaseGate;
  readonly #sink: LinkSink;
  readonly #module: PartIntake;
  readonly #journal: CarriedJournal;
  readonly #inbox: LinkInbox;
  readonly #blobs: LinkBlobs;
  readonly #snapshots: LinkSnapshots;
  #phase: Phase = { type: 'new' };
  #hasPlace = false;
  /** What both ends can do. */
  #features: readonly LinkFeature[] = [];
  #wish: Wish | undefined;
  #kept: KeptJournal | undefined;
  #takeBackOffer: (() => void) | undefined;
  /** Fires when the conversation is over. */
  readonly #over = new AbortController();

  constructor(conversation: Conversation, parts: ServedRunParts) {
    this.#conversation = conversation;
    this.#parts = parts;
    this.#sender = new PacedSender(conversation);
    const { clock } = parts;
    this.#gate = new LeaseGate({ clock, onAsk: (ask) => this.#say({ type: 'ask', ask }) });
    this.#sink = new LinkSink({
      sender: this.#sender,
      gate: this.#gate,
      clock,
      onTooLarge: (error) => this.#sayLast({ type: 'fault', error: error.toRecord() }),
    });
    this.#inbox = new LinkInbox((message) => this.#say(message));
    this.#blobs = new LinkBlobs((message) => this.#say(message));
    this.#snapshots = new LinkSnapshots({
      say: (message) => this.#say(message),
      room: () => this.#sender.room(),
    });
    this.#module = new PartIntake({
      what: 'the module',
      bytesMax: limits.moduleBytesMax,
      clock,
      onWanted: () => this.#say({ type: 'want-module' }),
      onSilent: (error) => this.close(error),
    });
    this.#journal = new CarriedJournal({
      clock,
      onWanted: () => this.#say({ type: 'want-left-out' }),
      onSilent: (error) => this.close(error),
    });
  }

  begin(message: HolderMessage): void {
    this.#heed(() => message);
  }

  onMessage(bytes: Uint8Array): void {
    this.#heed(() => decodeHolderMessage(bytes));
  }

  onEnd(): void {
    if (this.#phase.type !== 'over') this.close(mvmError('CONNECTION_LOST', 'the holder has ended the conversation'));
  }

  onClosed(error: MvmError | undefined): void {
    this.#leave(error ?? mvmError('CONNECTION_LOST', 'the conversation is over'));
  }

  /** Gives the job back at rest, as the holder's own `hand-over` does; any holder takes it, whether it knows that message or not. */
  handOver(): void {
    this.#want({ type: 'hand-over' });
  }

  /** Gives the job back, as the holder's own `release` does. */
  release(): void {
    this.#want({ type: 'release' });
  }

  /** Ends the conversation and drops the run. Idempotent. */
  close(error: MvmError): void {
    this.#conversation.close(error);
    this.#leave(error);
  }

  #heed(read: () => HolderMessage): void {
    if (this.#phase.type === 'over') return;
    try {
      this.#take(read());
    } catch (error) {
      this.close(asMvmError(error));
    }
  }

  #take(message: HolderMessage): void {
    if (isWish(message)) return this.#want(message);
    if (isStored(message)) return this.#takeStored(message);
    switch (message.type) {
      case 'run':
        return this.#admit(message);
      case 'inbox':
        return this.#takeInbox(message.items);
      case 'ack':
        return this.#sink.acked(message.call, message.leaseLeftMs, message.refused);
      case 'refused':
        return this.#sink.lose(errorFromRecord(message.error));
      case 'lease':
        return this.#gate.answer(message.ask, message.leaseLeftMs);
      case 'module':
        return this.#module.take(message.bytes, message.isLast);
      case 'no-module':
        return this.#module.fail(errorFromRecord(message.error));
      case 'blob':
        return this.#blobs.take(message.blob, message.talk);
      case 'snapshot-kept':
        return this.#snapshots.answered(message.error);
      case 'drop':
        return this.#drop();
      case 'replay':
        throw outOfOrder('replay');
    }
  }

  #takeStored(message: StoredMessage): void {
    switch (message.type) {
      case 'journal':
        return this.#gather(message.bytes);
      case 'snapshot':
        return this.#takeSnapshot(message);
      case 'ready':
        return this.#ready(message);
      case 'left-out':
        return this.#journal.takeLeftOut(message);
      case 'no-left-out':
        return this.#journal.fail(errorFromRecord(message.error));
    }
  }

  #admit(request: RunMessage): void {
    if (this.#phase.type !== 'new') throw outOfOrder('run');
    const error = this.#objection(request) ?? this.#parts.onAdmit(this);
    if (error) return this.#sayLast({ type: 'busy', error: error.toRecord() });
    this.#hasPlace = true;
    this.#phase = { type: 'opening', request };
    const features = commonFeatures(this.#parts.features, request.features);
    this.#features = features;
    this.#say({ type: 'admitted', ...(features.length > 0 && { features }) });
    if (request.journal === 'kept') void this.#openKept(request);
    else this.#journal.wait();
  }

  #objection({ protocol, journal }: RunMessage): MvmError | undefined {
    if (protocol !== linkVersion)
      return mvmError(
        'INVALID_ARGUMENT',
        `this engine speaks engine link ${linkVersion}, not ${protocol}: run the same release on both sides`,
      );
    const wanted = this.#parts.keeper ? 'kept' : 'carried';
    if (journal === wanted) return undefined;
    return mvmError('INVALID_ARGUMENT', `this engine takes runs whose journal is ${wanted}, not ${journal}`);
  }

  async #openKept(request: RunMessage): Promise<void> {
    const superseded = mvmError('STALE_LEASE', 'another run of the same lease has begun');
    try {
      const kept = await this.#parts.keeper?.open(request, {
        supersede: () => this.close(superseded),
        loseLease: () => this.#loseLease(),
        signal: this.#over.signal,
      });
      if (kept) await this.#beginKept(request, kept);
    } catch (thrown) {
      this.#refuseKept(asMvmError(thrown));
    }
  }

  async #beginKept(request: RunMessage, kept: KeptJournal): Promise<void> {
    this.#kept = kept;
    const { entries: journal, inbox, snapshot, leftOut, ports } = kept;
    if (this.#phase.type === 'opening') this.#begin(request, { journal, inbox, snapshot, leftOut }, ports);
    // The conversation was over before the journal came.
    else await kept.settle();
  }

  #loseLease(): void {
    if (this.#phase.type === 'running') this.#phase.run.drop();
    else this.#sayLast({ type: 'ended', outcome: null });
  }

  #refuseKept(error: MvmError): void {
    if (error instanceof StaleLeaseError) this.#sayLast({ type: 'ended', outcome: null });
    else if (error instanceof RetryLaterError) this.#sayLast({ type: 'busy', error: error.toRecord() });
    else this.#sayLast({ type: 'fault', error: error.toRecord() });
  }

  #gather(bytes: Uint8Array): void {
    if (this.#phase.type !== 'opening' || this.#parts.keeper) throw outOfOrder('journal');
    this.#journal.takeEntries(bytes);
  }

  #takeSnapshot(piece: HolderMessage & { readonly type: 'snapshot' }): void {
    if (this.#phase.type !== 'opening' || !this.#features.includes('snapshots')) throw outOfOrder('snapshot');
    this.#journal.takeSnapshot(piece);
  }

  #takeInbox(items: readonly InboxItem[]): void {
    if (this.#phase.type === 'new' || this.#parts.keeper) throw outOfOrder('inbox');
    this.#inbox.take(items);
    if (this.#phase.type === 'opening' && items.length > 0) this.#journal.wait();
  }

  #ready(message: HolderMessage & { readonly type: 'ready' }): void {
    const phase = this.#phase;
    if (phase.type !== 'opening' || this.#parts.keeper) throw outOfOrder('ready');
    if (message.leftOut !== undefined && !this.#features.includes('tails')) throw outOfOrder('ready');
    const stored = { ...this.#journal.complete(message), inbox: this.#inbox.drain() };
    this.#begin(phase.request, stored, {
      sink: this.#sink,
      mayStartEffect: (signal) => this.#gate.mayStartEffect(signal),
      inbox: (after, signal) => this.#inbox.after(after, signal),
      ...(this.#features.includes('blobs') && { blobs: this.#blobs }),
      ...(this.#features.includes('snapshots') && {
        saveSnapshot: (snapshot: Snapshot) => this.#snapshots.save(snapshot),
      }),
    });
  }

  #begin(
    request: RunMessage,
    stored: Pick<RunRequest, 'journal' | 'inbox' | 'snapshot' | 'leftOut'>,
    ports: RunPorts,
  ): void {
    const { job, attempt, module, workflow, input, trace } = request;
    const { modules, keeper } = this.#parts;
    this.#takeBackOffer = modules?.offer(module, () => (keeper ? keeper.module(module) : this.#fileOf()));
    const run = this.#parts.engine.run({ job, attempt, module, workflow, input, trace, ...stored }, ports);
    this.#phase = { type: 'running', run };
    run.ended.then(
      (end) => void this.#ended(end.type === 'finished' ? end.outcome : null),
      (error: unknown) => void this.#faulted(asMvmError(error)),
    );
    if (this.#wish) tell(run, this.#wish);
  }

  async #fileOf(): Promise<Uint8Array> {
    return joinByteStrings(await this.#module.ask());
  }

  #want(wish: Wish): void {
    // The first wish holds, but for one that may take its time.
    if (this.#wish === undefined || this.#wish.type === 'hand-over') this.#wish = wish;
    if (this.#phase.type === 'running') tell(this.#phase.run, wish);
  }

  /** The holder wants nothing more; where the journal is kept, it waits to hear what became of the finish. */
  #drop(): void {
    if (this.#phase.type === 'running') this.#phase.run.drop();
    else this.close(mvmError('CANCELLED', 'the run was dropped'));
  }

  async #ended(outcome: FinishOutcome | null): Promise<void> {
    const settled = await this.#kept?.settle();
    const refusal = this.#kept?.refusal;
    if (refusal && !(refusal instanceof StaleLeaseError)) this.#sayLast({ type: 'fault', error: refusal.toRecord() });
    else this.#sayLast({ type: 'ended', outcome: settled ?? outcome });
    this.#free();
  }

  async #faulted(error: MvmError): Promise<void> {
    await this.#kept?.settle();
    this.#sayLast({ type: 'fault', error: error.toRecord() });
    this.#free();
  }

  /** Rule 2. */
  #leave(error: MvmError): void {
    const phase = this.#phase;
    if (phase.type === 'over') return;
    this.#phase = { type: 'over' };
    this.#over.abort();
    this.#gate.shut();
    this.#module.fail(mvmError('CONNECTION_LOST', 'the holder is gone'));
    this.#takeBackOffer?.();
    if (phase.type === 'running') phase.run.drop();
    else this.#free();
    this.#sink.lose(error);
    this.#blobs.lose(error);
    this.#snapshots.lose(error);
    this.#journal.fail(error);
  }

  #free(): void {
    this.#takeBackOffer?.();
    if (!this.#hasPlace) return;
    this.#hasPlace = false;
    this.#parts.onFreed(this);
  }

  #say(message: EngineMessage): void {
    if (this.#phase.type !== 'over') this.#sender.send(encodeLinkMessage(message));
  }

  #sayLast(message: EngineMessage): void {
    if (this.#phase.type === 'over') return;
    this.#say(message);
    this.#sender.end();
    this.#leave(mvmError('CONNECTION_LOST', 'the run is over'));
  }
}

const storedTypes = ['journal', 'snapshot', 'ready', 'left-out', 'no-left-out'] as const;

/** About what is stored of the job. */
type StoredMessage = HolderMessage & { readonly type: (typeof storedTypes)[number] };

const isStored = (message: HolderMessage): message is StoredMessage =>
  storedTypes.some((type) => type === message.type);

const isWish = (message: HolderMessage): message is HolderMessage & Wish =>
  message.type === 'cancel' || message.type === 'release' || message.type === 'hand-over';

const tell = (run: EngineRun, wish: Wish): void => {
  if (wish.type === 'cancel') run.cancel(wish.reason);
  else if (wish.type === 'hand-over' && run.handOver) run.handOver();
  else run.release();
};

const outOfOrder = (message: string): MvmError =>
  mvmError('INVALID_ARGUMENT', `"${message}" is not what an engine link expects now`);

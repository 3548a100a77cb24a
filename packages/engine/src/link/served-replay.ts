/**
 * The engine's end of a conversation about a replay: a journal comes, a guest takes its steps again and may be asked something, and what
 * came of it goes back. Nothing is performed, and nothing written (`docs/internals/engine-link.md`, "Replays").
 *
 *   1. A place is taken before a journal comes, and given back when the engine has freed all that the replay held.
 *   2. When the conversation is over, however, the replay is given up.
 *   3. Nothing that comes over the link is trusted: what breaks the order or the limits ends the conversation.
 *   4. A holder that says nothing while it is waited for keeps no place.
 */
import {
  asMvmError,
  decodeHolderMessage,
  encodeLinkMessage,
  errorFromRecord,
  joinByteStrings,
  limits,
  linkVersion,
  mvmError,
  PacedSender,
  type Clock,
  type Conversation,
  type EngineMessage,
  type ErrandOutcome,
  type HolderMessage,
  type MvmError,
  type ReplayMessage,
} from '@mvm-ci/protocol';
import type { RunRequest } from '../engine.ts';
import { verdictOf, type Replayer } from '../run/replay.ts';
import { CarriedJournal } from './carried-journal.ts';
import type { ModuleDesk } from './module-desk.ts';
import { PartIntake } from './part-intake.ts';
import type { Served } from './reception.ts';

/** What all replays of a server share. */
export interface ServedReplayParts {
  readonly replayer: Replayer;
  readonly clock: Pick<Clock, 'after'>;
  /** Where the engine gets its modules, when it gets them from the holders. */
  readonly modules: ModuleDesk | undefined;
  /** Takes a place. @returns why there is none */
  readonly onAdmit: (replay: ServedReplay) => MvmError | undefined;
  /** Gives the place back. */
  readonly onFreed: (replay: ServedReplay) => void;
}

type Phase =
  | { readonly type: 'new' | 'replaying' | 'over' }
  /** The journal is on its way. */
  | { readonly type: 'opening'; readonly request: ReplayMessage };

type Stored = Pick<RunRequest, 'journal' | 'snapshot'>;

export class ServedReplay implements Served {
  readonly #conversation: Conversation;
  readonly #parts: ServedReplayParts;
  readonly #sender: PacedSender;
  readonly #module: PartIntake;
  readonly #journal: CarriedJournal;
  /** Fires when the conversation is over. */
  readonly #over = new AbortController();
  #phase: Phase = { type: 'new' };
  #hasPlace = false;

  constructor(conversation: Conversation, parts: ServedReplayParts) {
    this.#conversation = conversation;
    this.#parts = parts;
    this.#sender = new PacedSender(conversation);
    const { clock } = parts;
    const onSilent = (error: MvmError): void => this.close(error);
    const onWanted = (): void => this.#say({ type: 'want-module' });
    this.#module = new PartIntake({ what: 'the module', bytesMax: limits.moduleBytesMax, clock, onWanted, onSilent });
    this.#journal = new CarriedJournal({ clock, onWanted: () => undefined, onSilent });
  }

  begin(message: HolderMessage): void {
    this.#heed(() => message);
  }

  onMessage(bytes: Uint8Array): void {
    this.#heed(() => decodeHolderMessage(bytes));
  }

  onEnd(): void {
    if (!this.#isOver) this.close(mvmError('CONNECTION_LOST', 'the holder has ended the conversation'));
  }

  onClosed(error: MvmError | undefined): void {
    this.#leave(error ?? mvmError('CONNECTION_LOST', 'the conversation is over'));
  }

  /** Ends the conversation and gives the replay up. Idempotent. */
  close(error: MvmError): void {
    this.#conversation.close(error);
    this.#leave(error);
  }

  // A method: what a call has changed, the compiler doesn't see.
  get #isOver(): boolean {
    return this.#phase.type === 'over';
  }

  #heed(read: () => HolderMessage): void {
    if (this.#isOver) return;
    try {
      this.#take(read());
    } catch (error) {
      this.close(asMvmError(error));
    }
  }

  #take(message: HolderMessage): void {
    const phase = this.#phase;
    if (message.type === 'drop') return this.close(mvmError('CANCELLED', 'the replay was dropped'));
    if (message.type === 'module') return this.#module.take(message.bytes, message.isLast);
    if (message.type === 'no-module') return this.#module.fail(errorFromRecord(message.error));
    if (message.type === 'replay' && phase.type === 'new') return this.#admit(message);
    if (phase.type !== 'opening') throw outOfOrder(message);
    this.#takeStored(message, phase.request);
  }

  #takeStored(message: HolderMessage, request: ReplayMessage): void {
    if (message.type === 'journal') return this.#journal.takeEntries(message.bytes);
    if (message.type === 'snapshot') return this.#journal.takeSnapshot(message);
    if (message.type !== 'ready' || message.leftOut !== undefined) throw outOfOrder(message);
    void this.#replay(request, this.#journal.complete(message));
  }

  #admit(request: ReplayMessage): void {
    const { protocol } = request;
    const error =
      protocol === linkVersion
        ? this.#parts.onAdmit(this)
        : mvmError('INVALID_ARGUMENT', `this engine speaks engine link ${linkVersion}, not ${protocol}`);
    if (error) return this.#sayLast({ type: 'busy', error: error.toRecord() });
    this.#hasPlace = true;
    this.#phase = { type: 'opening', request };
    this.#say({ type: 'admitted' });
    this.#journal.wait();
  }

  async #replay(request: ReplayMessage, stored: Stored): Promise<void> {
    const { modules } = this.#parts;
    this.#phase = { type: 'replaying' };
    const takeBack = modules?.offer(request.module, async () => joinByteStrings(await this.#module.ask()));
    const outcome = await this.#outcome(request, stored);
    takeBack?.();
    this.#sayLast({ type: 'replayed', outcome });
    this.#free();
  }

  async #outcome(request: ReplayMessage, { journal, snapshot }: Stored): Promise<ErrandOutcome> {
    const { replayer } = this.#parts;
    const { signal } = this.#over;
    const { job, attempt, module, workflow, query } = request;
    const asked = { job, attempt, module, workflow, journal };
    try {
      if (query) return { answer: await replayer.query({ ...asked, ...query, snapshot }, { signal }) };
      return { verdict: verdictOf(await replayer.replay(asked, { signal })) };
    } catch (error) {
      return { error: asMvmError(error).toRecord() };
    }
  }

  /** Rule 2. */
  #leave(error: MvmError): void {
    if (this.#isOver) return;
    const isReplaying = this.#phase.type === 'replaying';
    this.#phase = { type: 'over' };
    this.#over.abort();
    this.#module.fail(mvmError('CONNECTION_LOST', 'the holder is gone'));
    this.#journal.fail(error);
    if (!isReplaying) this.#free();
  }

  #free(): void {
    if (!this.#hasPlace) return;
    this.#hasPlace = false;
    this.#parts.onFreed(this);
  }

  #say(message: EngineMessage): void {
    if (!this.#isOver) this.#sender.send(encodeLinkMessage(message));
  }

  #sayLast(message: EngineMessage): void {
    if (this.#isOver) return;
    this.#say(message);
    this.#sender.end();
    this.#leave(mvmError('CONNECTION_LOST', 'the replay is over'));
  }
}

const outOfOrder = ({ type }: HolderMessage): MvmError =>
  mvmError('INVALID_ARGUMENT', `"${type}" is not what an engine link expects now`);

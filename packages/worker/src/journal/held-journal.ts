/**
 * The journal of a held job through all its runs. It reads what is stored, opens the sink that goes on after it, and knows
 * what became of what was sent.
 *
 *   1. One sink at a time: the next one is opened only after `settle` (design section 2: two engines never extend one journal).
 *   2. Of a journal that isn't empty the whole inbox is read before a run: it tells which effects were refused.
 *   3. Behind a snapshot with a head, entries may be left out: they are read when somebody needs them, or when the seals don't fit.
 *   4. What the control plane refused, or accepted as the finish, it remembers: no run is needed to tell.
 */
import {
  batchEntries,
  chainStart,
  checkBatches,
  hasHead,
  headSeal,
  isSnapshotOf,
  limits,
  mvmError,
  RetryLaterError,
  snapshotSeal,
  type ClaimedJob,
  type FinishOutcome,
  type InboxItem,
  type JournalAnswer,
  type JournalBatch,
  type JournalEntry,
  type MvmError,
  type StoredSnapshot,
} from '@mvm-ci/protocol';
import { Backoff } from '../backoff.ts';
import type { Clock } from '../clock.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { JournalSink, LeftOutEntries, Snapshot } from '@mvm-ci/engine';
import { jobFacts } from '../lease-span.ts';
import { LateSignal } from '../late-signal.ts';
import type { Logger } from '../logger.ts';
import type { OpenedJournal, OpenOptions } from '../engine-host.ts';
import type { Random } from '../random.ts';
import { ClusterSink, type JournalPosition } from './cluster-sink.ts';
import { HeldInbox } from './held-inbox.ts';
import type { JournalShipper } from './journal-shipper.ts';

export interface HeldJournalOptions {
  readonly claimed: ClaimedJob;
  readonly controlPlane: Pick<ControlPlane, 'journal' | 'inbox'> & Partial<Pick<ControlPlane, 'snapshot'>>;
  readonly shipper: Pick<JournalShipper, 'offer'>;
  readonly clock: Clock;
  readonly random: Random;
  /** @default says nothing */
  readonly logger?: Logger;
  /** Called once if the control plane refuses a batch or the finish, before the open calls reject. */
  readonly onRefused: (error: MvmError) => void;
}

/** What became of all that an interrupted run had sent. */
export type SettledJournal =
  | { readonly type: 'finished'; readonly outcome: FinishOutcome }
  | { readonly type: 'refused'; readonly error: MvmError }
  /** The job goes on; `hasAppended` says whether entries of the run are durable. */
  | { readonly type: 'open'; readonly hasAppended: boolean };

export class HeldJournal {
  readonly #options: HeldJournalOptions;
  readonly #inbox: HeldInbox;
  /** Fires when the job is dropped. */
  readonly #lost = new LateSignal();
  #sink: ClusterSink | undefined;
  #wasOpened = false;
  /** Runs that were settled: an `open` of one of them comes too late. */
  #settled = 0;
  #refusal: MvmError | undefined;

  constructor(options: HeldJournalOptions) {
    this.#options = options;
    this.#inbox = new HeldInbox(options);
  }

  /** Whether the finish may have reached the control plane: its answer, not a heartbeat, tells what became of it. */
  get isFinishing(): boolean {
    return this.#sink?.isFinishing ?? false;
  }

  /** Whether any run wrote it through here, and not where it is stored. */
  get wasOpened(): boolean {
    return this.#wasOpened;
  }

  /** What the control plane refused. */
  get refusal(): MvmError | undefined {
    return this.#refusal;
  }

  /**
   * The stored entries, and a sink that goes on after them.
   *
   * @throws JOURNAL_CORRUPT when what is stored is damaged; STALE_LEASE after `lose`; CONNECTION_LOST when the run that asks
   * was settled meanwhile
   */
  async open({ mayLeaveOut = false }: OpenOptions = {}): Promise<OpenedJournal> {
    const run = this.#settled;
    // A former run of this claim may have added to a journal that was empty.
    const stored = this.mayBeStored ? await this.#read(run, mayLeaveOut) : nothingStored;
    if (this.#lost.aborted) throw this.#dropped();
    // Rule 1: the journal may be open for the next run already.
    if (run !== this.#settled) throw runIsOver();
    this.#wasOpened = true;
    const last = stored.batches.at(-1);
    const count = last === undefined ? 0 : last.firstSeq + last.count;
    const sink = this.#openSink(last === undefined ? this.#start : { nextSeq: count, hash: last.hash });
    return new StoredJournal({ ...stored, count, sink });
  }

  /** A snapshot is only a cache: one that doesn't fit is left aside, and the guest takes all its steps again. */
  #fitting(snapshot: StoredSnapshot, batches: readonly JournalBatch[]): StoredSnapshot | undefined {
    if (isSnapshotOf(snapshot, batches)) return snapshot;
    this.#options.logger?.warn(
      jobFacts(this.#options.claimed),
      'a stored snapshot is damaged, or of another history: the job replays',
    );
    return undefined;
  }

  /** Whether there may be something to go on from. */
  // A handler also goes on from what its attempts before have done.
  get mayBeStored(): boolean {
    const { journalEntries, module, attempt } = this.#options.claimed;
    return journalEntries > 0 || this.#wasOpened || (module === '' && attempt > 1);
  }

  /** Stores a state of the guest, sealed over the stored journal. @throws what the control plane refuses it with; it is sent once */
  async saveSnapshot(snapshot: Snapshot): Promise<void> {
    const { claimed, controlPlane } = this.#options;
    const { job, epoch, attempt } = claimed;
    const chain = this.#sink?.chainBehind(snapshot.entries);
    if (!chain || snapshot.bytes.length > limits.snapshotBytesMax) return;
    const { entries, runtime, imageHash, bytes } = snapshot;
    const state = { entries, runtime, imageHash, bytes };
    const seal = snapshotSeal(chain, state);
    const { head } = snapshot;
    const sealed = { ...state, seal, ...(head && { head, headSeal: headSeal(seal, head) }) };
    await controlPlane.snapshot?.({ job, epoch, attempt, snapshot: sealed }, { signal: this.#lost.signal });
  }

  /** See `RunPorts.inbox` of the engine. */
  inbox(after: number, signal: AbortSignal): Promise<readonly InboxItem[]> {
    return this.#inbox.after(after, AbortSignal.any([signal, this.#lost.signal]));
  }

  /** Gives up what wasn't sent, because of `error`, and resolves when all that was sent is answered. */
  async settle(error: MvmError): Promise<SettledJournal> {
    const sink = this.#sink;
    this.#settled += 1;
    await sink?.withdraw(error);
    this.#sink = undefined;
    if (this.#refusal) return { type: 'refused', error: this.#refusal };
    if (sink?.finished) return { type: 'finished', outcome: sink.finished };
    return { type: 'open', hasAppended: sink?.hasAppended ?? false };
  }

  /** Ends the hold without a run: nothing is added to the journal. @throws what the control plane refuses it with */
  async finish(outcome: FinishOutcome): Promise<void> {
    await this.#openSink(this.#start).finish([], outcome);
  }

  get #start(): JournalPosition {
    return new JournalStart(this.#options.claimed);
  }

  /** The job is another's now: nothing more is sent. Idempotent. */
  lose(): void {
    this.#lost.abort();
    this.#sink?.lose(this.#dropped());
  }

  /** Rules 2 and 3. */
  async #read(run: number, tail: boolean): Promise<Stored> {
    const { batches, previous, inbox = [], earlier = [], snapshot } = await this.#ask(run, tail);
    const { job, attempt } = this.#options.claimed;
    for (const one of earlier) checkBatches(chainStart(job, one.attempt), one.batches);
    checkBatches(previous ?? chainStart(job, attempt), batches, previous && batches[0]?.firstSeq);
    const fitting = snapshot && this.#fitting(snapshot, batches);
    if (previous && !(fitting && hasHead(fitting))) return this.#read(run, false);
    const rest = inbox.length < limits.inboxPageItems ? [] : await this.#inbox.rest(inbox, this.#lost.signal);
    return {
      batches,
      inbox: [...inbox, ...rest],
      earlier: earlier.flatMap((one) => one.batches),
      snapshot: fitting,
      leftOut: previous && fitting && { entries: fitting.entries, load: () => this.#load(run) },
    };
  }

  /** All entries, for a run that began with the last ones. */
  async #load(run: number): Promise<readonly JournalEntry[]> {
    const { claimed, logger } = this.#options;
    logger?.info(jobFacts(claimed), 'a run needs the entries behind its snapshot: the whole journal is read');
    const { batches } = await this.#ask(run, false);
    checkBatches(chainStart(claimed.job, claimed.attempt), batches);
    return batchEntries(batches);
  }

  /** Asks until there is an answer, or nobody wants one. */
  async #ask(run: number, tail: boolean): Promise<JournalAnswer> {
    const { controlPlane, claimed, clock, random } = this.#options;
    const { signal } = this.#lost;
    const backoff = new Backoff(clock, random);
    while (!signal.aborted && run === this.#settled) {
      try {
        return await controlPlane.journal(tail ? { ...claimed, tail } : claimed, { signal });
      } catch (error) {
        if (!(error instanceof RetryLaterError)) throw error;
        await backoff.wait(signal);
      }
    }
    throw signal.aborted ? this.#dropped() : runIsOver();
  }

  #openSink(position: JournalPosition): ClusterSink {
    const { claimed, shipper, onRefused } = this.#options;
    const { job, epoch, attempt } = claimed;
    this.#sink = new ClusterSink({
      lease: { job, epoch },
      attempt,
      position,
      shipper,
      onRefused: (error) => {
        this.#refusal = error;
        onRefused(error);
      },
    });
    return this.#sink;
  }

  #dropped(): MvmError {
    return mvmError('STALE_LEASE', `the worker has dropped job "${this.#options.claimed.job}"`);
  }
}

const runIsOver = (): MvmError => mvmError('CONNECTION_LOST', 'the run that asked for this journal is over');

interface Stored {
  readonly batches: readonly JournalBatch[];
  readonly inbox: readonly InboxItem[];
  /** Of the attempts before. */
  readonly earlier: readonly JournalBatch[];
  readonly snapshot?: StoredSnapshot | undefined;
  /** Before the first of `batches`, or in it. */
  readonly leftOut?: LeftOutEntries | undefined;
}

/** What is in the inbox of an attempt that hasn't begun, it hears when it asks. */
const nothingStored: Stored = { batches: [], inbox: [], earlier: [] };

/** Where an empty journal stands. Hashed when something is added: of most jobs of handlers nothing is. */
class JournalStart implements JournalPosition {
  readonly nextSeq = 0;
  readonly #claimed: Pick<ClaimedJob, 'job' | 'attempt'>;

  constructor(claimed: Pick<ClaimedJob, 'job' | 'attempt'>) {
    this.#claimed = claimed;
  }

  get hash(): Uint8Array {
    return chainStart(this.#claimed.job, this.#claimed.attempt);
  }
}

class StoredJournal implements OpenedJournal {
  readonly count: number;
  readonly inbox: readonly InboxItem[];
  readonly snapshot: Snapshot | undefined;
  readonly leftOut: LeftOutEntries | undefined;
  readonly sink: JournalSink;
  readonly #batches: readonly JournalBatch[];
  readonly #earlier: readonly JournalBatch[];

  constructor({
    batches,
    inbox,
    earlier,
    snapshot,
    leftOut,
    count,
    sink,
  }: Stored & { readonly count: number; readonly sink: JournalSink }) {
    this.#batches = batches;
    this.#earlier = earlier;
    this.inbox = inbox;
    this.snapshot = snapshot;
    this.leftOut = leftOut;
    this.count = count;
    this.sink = sink;
  }

  get entries(): readonly JournalEntry[] {
    const entries = batchEntries(this.#batches);
    return this.leftOut ? entries.slice(this.leftOut.entries - (this.#batches[0]?.firstSeq ?? 0)) : entries;
  }

  get earlier(): readonly JournalEntry[] {
    return batchEntries(this.#earlier);
  }

  get parts(): Iterable<Uint8Array> {
    return this.#batches.map(({ bytes }) => bytes);
  }
}

/**
 * The journal of one held attempt, kept by the control plane. It turns the engine's entries into batches of the hash chain
 * and hands them to the shipper, one after another.
 *
 *   1. At most one batch is out; entries that come meanwhile gather and make the next one.
 *   2. A batch that was taken never changes: it is sent again as it is until it is answered (I3).
 *   3. An append resolves when the batch with its last entry is durable (I2).
 *   4. `finish` carries the entries that are left, in the same transaction (I7).
 *   5. After a refusal, `lose` or `finish`, nothing is sent any more, and every open call has been settled.
 *   6. What an append does inside the system goes with the batch that has its last entry (I7).
 *   7. After `withdraw` nothing new is sent; a batch that was taken is sent until it is answered.
 */
import { appended, type AppendExtras, type Appended, type JournalSink } from '@mvm-ci/engine';
import {
  chainHash,
  encodeEntry,
  joinByteStrings,
  limits,
  mvmError,
  type AppendItem,
  type FinishOutcome,
  type InboxItem,
  type InternalEffect,
  type JobProgress,
  type JournalBatch,
  type JournalEntry,
  type LeaseRef,
  type MvmError,
} from '@mvm-ci/protocol';
import { workerLimits } from '../limits.ts';
import type { JournalShipper, Parcel, ParcelSource } from './journal-shipper.ts';

/** Where an attempt's journal stands. */
export interface JournalPosition {
  /** Number of the next entry. */
  readonly nextSeq: number;
  /** Hash of the last batch, or `chainStart`. */
  readonly hash: Uint8Array;
}

export interface ClusterSinkOptions {
  readonly lease: LeaseRef;
  readonly attempt: number;
  /** What is stored already. */
  readonly position: JournalPosition;
  readonly shipper: Pick<JournalShipper, 'offer'>;
  /** Called once if the control plane refuses a batch or the finish, before the open calls reject. */
  readonly onRefused: (error: MvmError) => void;
}

/** One entry on its way. */
interface Chunk {
  readonly bytes: Uint8Array;
  progress: JobProgress | undefined;
  readonly internal: InternalEffect[];
  /** The calls that wait for this entry to be durable. */
  readonly calls: Call[];
}

interface Ending {
  readonly outcome: FinishOutcome;
  readonly call: Call;
}

interface Sent {
  readonly parcel: Parcel;
  readonly calls: Call[];
}

type Call = PromiseWithResolvers<Appended>;

/** A {@link JournalSink} whose entries go to the control plane. */
export class ClusterSink implements JournalSink, ParcelSource {
  readonly #options: ClusterSinkOptions;
  #position: JournalPosition;
  /** Where the last batches that were stored end. */
  #ends: JournalPosition[];
  #waiting: Chunk[] = [];
  #progress: JobProgress | undefined;
  #ending: Ending | undefined;
  #sent: Sent | undefined;
  #over: MvmError | undefined;
  #hasAppended = false;
  #finished: FinishOutcome | undefined;
  /** Settles when nothing is out. */
  #withdrawn: PromiseWithResolvers<void> | undefined;

  constructor(options: ClusterSinkOptions) {
    this.#options = options;
    this.#position = options.position;
    this.#ends = [options.position];
  }

  /** Whether the finish may have reached the control plane: its answer, not a heartbeat, tells what became of it. */
  get isFinishing(): boolean {
    return this.#sent?.parcel.kind === 'finish';
  }

  /** Whether anything was made durable. */
  get hasAppended(): boolean {
    return this.#hasAppended;
  }

  /** The finish that was accepted. */
  get finished(): FinishOutcome | undefined {
    return this.#finished;
  }

  /** Hash of the stored batch that holds the entry before number `entries`; undefined when it was stored too long ago, or isn't yet. */
  chainBehind(entries: number): Uint8Array | undefined {
    const place = this.#ends.findIndex(({ nextSeq }) => nextSeq >= entries);
    // Of the first one that is known nobody knows where its batch began.
    return place > 0 || this.#ends[place]?.nextSeq === entries ? this.#ends[place]?.hash : undefined;
  }

  get nextKind(): Parcel['kind'] | undefined {
    if (this.#sent) return this.#sent.parcel.kind;
    if (this.#over) return undefined;
    if (this.#ending && this.#fitting() === this.#waiting.length) return 'finish';
    return this.#waiting.length > 0 ? 'append' : undefined;
  }

  /** @throws STALE_LEASE when the lease is over; LIMIT_EXCEEDED when an entry is larger than an append may be. */
  append(entries: readonly JournalEntry[], { progress, internal }: AppendExtras = {}): Promise<Appended> {
    const call = handled(Promise.withResolvers());
    this.#progress = progress ?? this.#progress;
    this.#gather(entries, internal);
    const last = this.#over ? undefined : (this.#waiting.at(-1) ?? this.#sent);
    if (this.#over) call.reject(this.#over);
    else if (last) last.calls.push(call);
    else call.resolve(appended);
    this.#offer();
    return call.promise;
  }

  /** @throws STALE_LEASE when the lease is over; LIMIT_EXCEEDED when an entry is larger than an append may be. */
  finish(entries: readonly JournalEntry[], outcome: FinishOutcome, { internal }: AppendExtras = {}): Promise<void> {
    const call: Call = Promise.withResolvers();
    this.#gather(entries, internal);
    if (this.#over) call.reject(this.#over);
    else {
      this.#ending = { outcome, call };
      this.#offer();
    }
    return call.promise.then(nothing);
  }

  /** The lease is lost: rejects what is open with `error` and sends nothing more. Idempotent. */
  lose(error: MvmError): void {
    this.#end(error);
  }

  /**
   * Whoever makes the entries is gone: rejects what wasn't sent with `reason`, and all calls to come.
   *
   * @returns when what was sent is accepted or refused, or `lose` was called
   */
  withdraw(reason: MvmError): Promise<void> {
    this.#withdrawn ??= Promise.withResolvers();
    if (!this.#over) this.#giveUp(reason);
    if (!this.#sent) this.#withdrawn.resolve();
    return this.#withdrawn.promise;
  }

  take(): Parcel | undefined {
    if (!this.#over) this.#sent ??= this.#pack();
    return this.#sent?.parcel;
  }

  accepted(parcel: Parcel, refused: readonly InboxItem[] = []): void {
    const sent = this.#sent;
    if (sent?.parcel !== parcel) return;
    this.#sent = undefined;
    this.#hasAppended = true;
    this.#noteEnd(parcel);
    if (parcel.kind === 'finish') this.#finished = parcel.item.outcome;
    for (const call of sent.calls) call.resolve({ refused });
    if (parcel.kind === 'finish') this.#end(journalIsFinished);
    else this.#offer();
    this.#withdrawn?.resolve();
  }

  #noteEnd({ kind, item }: Parcel): void {
    const batch = kind === 'append' ? item : item.append;
    if (!batch) return;
    this.#ends.push({ nextSeq: batch.firstSeq + batch.count, hash: batch.hash });
    if (this.#ends.length > workerLimits.batchEndsMax) this.#ends = this.#ends.slice(-workerLimits.batchEndsMax / 2);
  }

  refused(parcel: Parcel, error: MvmError): void {
    if (this.#sent?.parcel === parcel) this.#refuse(error);
  }

  #refuse(error: MvmError): void {
    this.#options.onRefused(error);
    this.#end(error);
  }

  /** Rule 1: while a batch is out, its answer makes the next offer. */
  #offer(): void {
    if (!this.#sent && this.nextKind) this.#options.shipper.offer(this);
  }

  #gather(entries: readonly JournalEntry[], internal: readonly InternalEffect[] = []): void {
    if (this.#over) return;
    const chunks = entries.map((entry): Chunk => ({
      bytes: encodeEntry(entry),
      progress: undefined,
      internal: [],
      calls: [],
    }));
    const large = chunks.find(({ bytes }) => bytes.length > limits.appendBytesMax);
    if (large) this.#refuse(tooLarge(large.bytes.length));
    if (this.#over) return;
    this.#waiting.push(...chunks);
    const last = this.#waiting.at(-1);
    if (!last) return;
    last.progress = this.#progress;
    last.internal.push(...internal);
    this.#progress = undefined;
  }

  /** How many of the waiting chunks one batch can hold: at least one. */
  #fitting(): number {
    if (this.#waiting.length < 2) return this.#waiting.length;
    let bytes = 0;
    let effects = 0;
    const over = this.#waiting.findIndex((chunk, index) => {
      bytes += chunk.bytes.length;
      effects += chunk.internal.length;
      return index > 0 && (bytes > limits.appendBytesMax || effects > limits.internalEffectsMax);
    });
    return over === -1 ? this.#waiting.length : over;
  }

  #pack(): Sent | undefined {
    const { lease, attempt } = this.#options;
    if (this.#ending && this.#waiting.length === 0) {
      const { outcome, call } = this.#ending;
      return { parcel: { kind: 'finish', item: { ...lease, attempt, outcome } }, calls: [call] };
    }
    const chunks = this.#waiting.splice(0, this.#fitting());
    const batch = chunks.length > 0 ? this.#link(chunks) : undefined;
    const calls = chunks.flatMap((chunk) => chunk.calls);
    if (this.#ending && this.#waiting.length === 0) {
      const item = { ...lease, attempt, outcome: this.#ending.outcome, ...(batch && { append: batch }) };
      return { parcel: { kind: 'finish', item }, calls: [...calls, this.#ending.call] };
    }
    return batch && { parcel: { kind: 'append', item: { ...lease, attempt, ...batch } }, calls };
  }

  #link(chunks: readonly Chunk[]): JournalBatch & Pick<AppendItem, 'progress' | 'internal'> {
    const header = {
      firstSeq: this.#position.nextSeq,
      count: chunks.length,
      bytes: joinByteStrings(chunks.map(({ bytes }) => bytes)),
    };
    const hash = chainHash(this.#position.hash, header);
    this.#position = { nextSeq: header.firstSeq + header.count, hash };
    const progress = chunks.findLast((chunk) => chunk.progress)?.progress;
    const internal = chunks.flatMap((chunk) => chunk.internal);
    return { ...header, hash, ...(progress && { progress }), ...(internal.length > 0 && { internal }) };
  }

  #end(error: MvmError): void {
    const calls = this.#sent?.calls ?? [];
    this.#sent = undefined;
    this.#giveUp(error);
    for (const call of calls) call.reject(error);
    this.#withdrawn?.resolve();
  }

  /** Sends nothing more than what was taken. */
  #giveUp(error: MvmError): void {
    this.#over ??= error;
    const calls = this.#waiting.flatMap((chunk) => chunk.calls);
    if (this.#ending && !this.isFinishing) calls.push(this.#ending.call);
    this.#waiting = [];
    for (const call of calls) call.reject(error);
  }
}

// Made once: each job ends so, and an error with its stack costs more than the rest of an end.
const journalIsFinished = mvmError('INVALID_TRANSITION', 'this journal is finished');

const tooLarge = (bytes: number): MvmError =>
  mvmError('LIMIT_EXCEEDED', `a journal entry has at most ${limits.appendBytesMax} bytes, this one has ${bytes}`, {
    limit: limits.appendBytesMax,
    received: bytes,
  });

const nothing = (): void => undefined;

// The engine doesn't wait for entries that ride along (I4): their refusal must not end the process.
const handled = (call: Call): Call => {
  call.promise.catch(() => undefined);
  return call;
};

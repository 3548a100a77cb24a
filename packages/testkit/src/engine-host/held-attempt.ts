/**
 * One attempt as its holder keeps it, under a test's control: the stored journal, the acks and the lease. It judges sinks
 * as the store does: after a newer one was opened, or a finish, an older one is refused (I3).
 */
import {
  encodeEntry,
  mvmError,
  type ClaimedJob,
  type FinishOutcome,
  type InboxItem,
  type InternalEffect,
  type JournalEntry,
  type MvmError,
} from '@mvm-ci/protocol';
import { MemoryInbox, type Appended, type ApplyEffect, type JournalSink } from '@mvm-ci/engine';

/** See `HostPorts` of the worker. */
export interface AttemptPorts {
  openJournal(): Promise<{
    readonly count: number;
    readonly entries: readonly JournalEntry[];
    readonly parts: Iterable<Uint8Array>;
    readonly inbox: readonly InboxItem[];
    readonly sink: JournalSink;
  }>;
  mayStartEffect(signal: AbortSignal): boolean | Promise<boolean>;
  inbox(after: number, signal: AbortSignal): Promise<readonly InboxItem[]>;
  leaseLeftMs(): number;
}

interface Parcel {
  readonly holder: number;
  readonly entries: readonly JournalEntry[];
  readonly internal: readonly InternalEffect[];
  readonly outcome: FinishOutcome | undefined;
  readonly call: PromiseWithResolvers<Appended>;
}

const leaseMs = 60_000;

export class HeldAttempt implements AttemptPorts {
  readonly claimed: ClaimedJob;
  readonly mail: MemoryInbox = new MemoryInbox();
  /** What was done inside the system, in its order. */
  readonly effects: InternalEffect[] = [];
  /** Says why an effect inside the system is refused. @default none is */
  refuseEffect: ApplyEffect = () => undefined;
  readonly #stored: JournalEntry[] = [];
  readonly #sent: Parcel[] = [];
  #holder = 0;
  #isHoldingAcks = false;
  #outcome: FinishOutcome | undefined;
  #refusal: MvmError | undefined;
  #untilMs = performance.now() + leaseMs;
  #isLost = false;
  readonly #gates = new Set<() => void>();
  #changed = Promise.withResolvers<void>();

  constructor(claimed: ClaimedJob, stored: readonly JournalEntry[] = []) {
    this.claimed = { ...claimed, journalEntries: stored.length };
    this.#stored.push(...stored);
  }

  /** What is stored. */
  get entries(): readonly JournalEntry[] {
    return this.#stored;
  }

  /** How the hold ended; undefined while it goes on. */
  get outcome(): FinishOutcome | undefined {
    return this.#outcome;
  }

  /** Entries that were sent and are not stored. */
  get pending(): readonly JournalEntry[] {
    return this.#sent.flatMap(({ entries }) => entries);
  }

  /** Keeps back what is sent from now on: it is neither stored nor answered. */
  holdAcks(): void {
    this.#isHoldingAcks = true;
  }

  releaseAcks(): void {
    this.#isHoldingAcks = false;
    this.#store();
  }

  /** Refuses everything from now on. */
  refuse(error: MvmError): void {
    this.#refusal = error;
    this.#store();
  }

  /** The lease's deadline passes. */
  passDeadline(): void {
    this.#untilMs = 0;
  }

  renewLease(): void {
    this.#untilMs = performance.now() + leaseMs;
    for (const open of this.#gates) open();
  }

  loseLease(): void {
    this.#isLost = true;
    for (const open of this.#gates) open();
  }

  /** Resolves when `isSo` holds; looked at whenever something was sent or stored. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await this.#changed.promise;
  }

  /** Resolves when all that was sent is answered. */
  settled(): Promise<void> {
    return this.until(() => this.#sent.length === 0);
  }

  openJournal(): ReturnType<AttemptPorts['openJournal']> {
    const entries = [...this.#stored];
    return Promise.resolve({
      count: entries.length,
      entries,
      parts: entries.map(encodeEntry),
      inbox: this.mail.items,
      sink: this.openSink(),
    });
  }

  /** A sink that goes on after what is stored; the one before is refused from now on. */
  openSink(): JournalSink {
    this.#holder += 1;
    const holder = this.#holder;
    return {
      append: (entries, { internal = [] } = {}) => this.#send({ holder, entries, internal, outcome: undefined }),
      finish: async (entries, outcome, { internal = [] } = {}) => {
        await this.#send({ holder, entries, internal, outcome });
      },
    };
  }

  async mayStartEffect(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted && !this.#isLost && this.leaseLeftMs() === 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#gates.add(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      this.#gates.delete(resolve);
    }
    return !signal.aborted && !this.#isLost;
  }

  inbox(after: number, signal: AbortSignal): Promise<readonly InboxItem[]> {
    return this.mail.after(after, signal);
  }

  leaseLeftMs(): number {
    return this.#isLost ? 0 : Math.max(0, this.#untilMs - performance.now());
  }

  #send(parcel: Omit<Parcel, 'call'>): Promise<Appended> {
    const call = Promise.withResolvers<Appended>();
    call.promise.catch(() => undefined);
    this.#sent.push({ ...parcel, call });
    if (this.#isHoldingAcks) this.#change();
    // As a store answers: in a turn of its own.
    else setImmediate(() => this.#store());
    return call.promise;
  }

  #store(): void {
    if (this.#isHoldingAcks && !this.#refusal) return;
    for (const parcel of this.#sent.splice(0)) {
      const refusal = this.#refusal ?? this.#staleness(parcel);
      if (refusal) {
        parcel.call.reject(refusal);
        continue;
      }
      this.#stored.push(...parcel.entries);
      this.#outcome = parcel.outcome;
      this.effects.push(...parcel.internal);
      parcel.call.resolve({ refused: this.mail.apply(parcel.internal, (effect) => this.refuseEffect(effect)) });
    }
    this.#change();
  }

  #staleness({ holder }: Parcel): MvmError | undefined {
    if (holder === this.#holder && !this.#outcome && !this.#isLost) return undefined;
    return mvmError('STALE_LEASE', `job "${this.claimed.job}" has another holder`);
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/**
 * Keeps the deadlines of all leases. Owns: which (job, epoch) is held by which worker and incarnation, until when. What a
 * lease is and what its end does to a job is the state machine's (`machine/`). `docs/internals/leases.md`.
 *
 * 1. Deadlines are in memory, on the monotonic clock; a lease begins with a committed claim.
 * 2. A heartbeat extends exactly the pairs that it names and that are its sender's.
 * 3. Nothing ends before its deadline, nor in the first `startGraceMs`; a lease that ended here may still be written to until
 *    its `expire` commits, and the store decides (I3).
 */
import type { HeartbeatAnswer, LeaseRef } from '@mvm-ci/protocol';
import type { Clock, Timer } from '@mvm-ci/protocol';
import { controlLimits, type LeasePeriods } from '../limits.ts';
import type { Effects, LeaseEffect } from '../machine/effects.ts';
import type { StoredLease } from '../store/query.ts';

interface HeldLease extends LeaseEffect {
  deadlineMs: number;
  cancelReason: string | null;
  isMoved: boolean;
}

/** Who sends a heartbeat. */
export interface Holder {
  readonly worker: string;
  readonly incarnation: string;
}

/** What the keeper needs. */
export interface LeaseKeeperOptions {
  readonly clock: Clock;
  readonly periods: LeasePeriods;
  /** Ends leases that ran out. @throws when that could not be stored: they are tried again */
  readonly expire: (leases: readonly LeaseEffect[]) => Promise<unknown>;
}

/** See the head of this file. */
export class LeaseKeeper {
  readonly #clock: Clock;
  readonly #periods: LeasePeriods;
  readonly #expire: LeaseKeeperOptions['expire'];
  readonly #leases: Map<string, HeldLease> = new Map();
  #timer: { readonly timer: Timer; readonly atMs: number } | undefined;
  #hadGrace = false;
  #stopped = false;

  constructor(options: LeaseKeeperOptions) {
    this.#clock = options.clock;
    this.#periods = options.periods;
    this.#expire = options.expire;
  }

  /** Takes over the leases that the store knows; each gets at least the grace of a start. Without one their holders are gone. */
  load(leases: readonly StoredLease[]): void {
    const now = this.#clock.monotonicMs();
    for (const lease of leases) {
      const deadlineMs = now + this.#leftAtStartMs(lease);
      this.#leases.set(lease.job, { ...lease, deadlineMs });
    }
    this.#arm();
  }

  /** Leases that are kept. */
  get count(): number {
    return this.#leases.size;
  }

  /** Follows what a commit did to leases. */
  follow(effects: Effects): void {
    for (const lease of effects.leases) this.#begin(lease);
    for (const { job, epoch } of effects.released) if (this.#leases.get(job)?.epoch === epoch) this.#leases.delete(job);
    for (const { job, epoch } of effects.moves) {
      const lease = this.#leases.get(job);
      if (lease?.epoch === epoch) lease.isMoved = true;
    }
    for (const { job, epoch, reason } of effects.cancels) {
      const lease = this.#leases.get(job);
      if (lease?.epoch === epoch) lease.cancelReason = reason;
    }
  }

  /** Extends the named leases that are the holder's; names the others as lost. */
  heartbeat(holder: Holder, held: readonly LeaseRef[]): HeartbeatAnswer {
    const deadlineMs = this.#clock.monotonicMs() + this.#periods.leaseMs;
    const lost: LeaseRef[] = [];
    const cancel: HeartbeatAnswer['cancel'][number][] = [];
    const giveBack: LeaseRef[] = [];
    for (const { job, epoch } of held) {
      const lease = this.#leases.get(job);
      if (lease === undefined || !isHeldBy(lease, holder, epoch)) lost.push({ job, epoch });
      else {
        lease.deadlineMs = deadlineMs;
        if (lease.isMoved) giveBack.push({ job, epoch });
        if (lease.cancelReason !== null) cancel.push({ job, epoch, reason: lease.cancelReason });
      }
    }
    return { lost, cancel, ...(giveBack.length > 0 && { giveBack }) };
  }

  /** Whether this is a current lease of `worker`. */
  isHolder(worker: string, lease: LeaseRef): boolean {
    const known = this.#leases.get(lease.job);
    return known?.epoch === lease.epoch && known.worker === worker;
  }

  /** Time to the deadline of this lease of `worker`, in ms, 0 when it has passed; undefined when it isn't one. */
  leftMs(worker: string, lease: LeaseRef): number | undefined {
    if (!this.isHolder(worker, lease)) return undefined;
    return Math.max(0, (this.#leases.get(lease.job)?.deadlineMs ?? 0) - this.#clock.monotonicMs());
  }

  /** How many jobs each worker holds. */
  heldByWorker(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { worker } of this.#leases.values()) counts.set(worker, (counts.get(worker) ?? 0) + 1);
    return counts;
  }

  /** Ends no more leases. Idempotent. */
  stop(): void {
    this.#stopped = true;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
  }

  #leftAtStartMs({ bare }: StoredLease): number {
    const { startGraceMs } = this.#periods;
    return startGraceMs === 0 && !bare ? 0 : Math.max(startGraceMs, this.#lengthMs(bare));
  }

  #lengthMs(bare: boolean): number {
    return bare ? this.#periods.bareLeaseMs : this.#periods.leaseMs;
  }

  #begin(lease: LeaseEffect): void {
    const deadlineMs = this.#clock.monotonicMs() + this.#lengthMs(lease.bare);
    const known = this.#leases.get(lease.job);
    const cancelReason = known?.epoch === lease.epoch ? known.cancelReason : null;
    const isMoved = known?.epoch === lease.epoch && known.isMoved;
    this.#leases.set(lease.job, { ...lease, deadlineMs, cancelReason, isMoved });
    if (this.#timer === undefined || deadlineMs < this.#timer.atMs) this.#armAt(deadlineMs);
  }

  #arm(): void {
    let earliest = Infinity;
    for (const lease of this.#leases.values()) earliest = Math.min(earliest, lease.deadlineMs);
    if (earliest < Infinity) this.#armAt(earliest);
  }

  #armAt(deadlineMs: number): void {
    if (this.#stopped) return;
    this.#timer?.timer.cancel();
    // Deadlines close to each other share one timer.
    const delayMs = Math.max(deadlineMs - this.#clock.monotonicMs(), 0) + controlLimits.expiryGranularityMs;
    const atMs = this.#clock.monotonicMs() + delayMs;
    this.#timer = { timer: this.#clock.after(delayMs, () => this.#judge(atMs)), atMs };
  }

  #judge(dueMs: number): void {
    this.#timer = undefined;
    const now = this.#clock.monotonicMs();
    // A late timer means that heartbeats wait to be handled too: they come first, once.
    if (now - dueMs > controlLimits.stallMs && !this.#hadGrace) {
      this.#hadGrace = true;
      return this.#armAt(now + controlLimits.stallGraceMs);
    }
    this.#hadGrace = false;
    const over = [...this.#leases.values()].filter((lease) => lease.deadlineMs <= now);
    for (const lease of over) this.#leases.delete(lease.job);
    this.#arm();
    if (over.length > 0) void this.#end(over);
  }

  async #end(leases: readonly HeldLease[]): Promise<void> {
    try {
      await this.#expire(leases);
    } catch {
      this.#keepForRetry(leases);
    }
  }

  #keepForRetry(leases: readonly HeldLease[]): void {
    const deadlineMs = this.#clock.monotonicMs() + controlLimits.expiryRetryMs;
    for (const lease of leases) if (!this.#leases.has(lease.job)) this.#leases.set(lease.job, { ...lease, deadlineMs });
    this.#arm();
  }
}

const isHeldBy = (lease: HeldLease, holder: Holder, epoch: number): boolean =>
  lease.epoch === epoch && lease.worker === holder.worker && lease.incarnation === holder.incarnation && !lease.bare;

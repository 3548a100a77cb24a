/**
 * Keeps the leases of the jobs that this worker holds: sends the heartbeats, knows the deadlines, and tells the holders
 * what the answers say. It decides nothing about the jobs. The rules of the protocol: `docs/internals/leases.md`.
 *
 *   1. A deadline is the moment at which the request that granted or extended the lease was *sent*, plus the lease: it is
 *      never later than the control plane's own.
 *   2. A heartbeat names exactly the leases held when it is sent. One is under way at a time.
 *   3. A deadline that passes ends nothing: the control plane may be restarting, and keeps the lease then. But no effect
 *      starts until a heartbeat has renewed it.
 *   4. After `release` or a loss, a holder hears nothing more.
 */
import {
  mvmError,
  RetryLaterError,
  type DrainOrder,
  type HeartbeatAnswer,
  type JoinAnswer,
  type LeaseRef,
  type MvmError,
} from '@mvm-ci/protocol';
import type { Clock, Timer } from './clock.ts';
import type { ControlPlane } from './control-plane.ts';
import { workerLimits } from './limits.ts';
import type { Logger } from './logger.ts';

/** Who holds a lease. */
export interface LeaseHolder {
  /** The lease is another's now, or nobody's. */
  onLost(): void;
  /** Somebody wants the job cancelled; said with every heartbeat until the job is over. */
  onCancel(reason: string): void;
  /** The job is to go on elsewhere; said with every heartbeat until it was given back. */
  onGiveBack(): void;
}

/** A lease being kept. */
export interface KeptLease {
  /** See `RunPorts.mayStartEffect` of the engine. */
  mayStartEffect(signal: AbortSignal): boolean | Promise<boolean>;
  /** Time to the deadline, in ms; 0 when it has passed, or the lease isn't kept any more. */
  leftMs(): number;
  /** Stops the heartbeats for it. Idempotent. */
  release(): void;
}

export interface LeaseKeeperOptions {
  readonly controlPlane: Pick<ControlPlane, 'heartbeat'>;
  readonly incarnation: string;
  /** Somebody wants the worker to drain; said with every heartbeat. */
  readonly onDrain: (order: DrainOrder) => void;
  /** Questions to workflows wait for a worker. */
  readonly onQueries: () => void;
  readonly timing: Pick<JoinAnswer, 'leaseMs' | 'heartbeatMs' | 'idleHeartbeatMs'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One keeper serves a whole worker. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #leases = new Map<string, Lease>();
  readonly #leaseKeeping: LeaseKeeping;
  readonly #stopped = new AbortController();
  #timer: Timer | undefined;
  #beating = false;
  #again = false;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#leaseKeeping = {
      nowMs: () => options.clock.monotonicMs(),
      keeps: (lease) => this.#keeps(lease),
      beatSoon: () => this.#beatSoon(),
      forget: (lease) => this.#forget(lease),
    };
    this.#schedule();
  }

  /** Keeps `ref`, granted by a request that was sent at `sentMs` on the monotonic clock. */
  hold(ref: LeaseRef, sentMs: number, holder: LeaseHolder): KeptLease {
    const { timing, clock } = this.#options;
    const lease = new Lease({ ref, holder, deadlineMs: sentMs + timing.leaseMs }, this.#leaseKeeping);
    this.#leases.set(lease.key, lease);
    // A claim may have waited longer than a lease at the control plane (rule 1): have it renewed before it is needed.
    if (lease.deadlineMs - clock.monotonicMs() < timing.leaseMs - timing.heartbeatMs) this.#beatSoon();
    // Only the first one: claims that follow each other closely must not put off the heartbeat of those before.
    else if (this.#leases.size === 1) this.#schedule();
    return lease;
  }

  /** The control plane answered something else: while nothing is held that says as much as a heartbeat, and puts the next one off. */
  heard(): void {
    if (this.#leases.size === 0 && !this.#beating) this.#schedule();
  }

  /** Ends all heartbeats; closed gates stay closed. Idempotent. */
  stop(): void {
    this.#stopped.abort();
    this.#timer?.cancel();
    for (const lease of this.#leases.values()) this.#forget(lease);
  }

  #keeps(lease: Lease): boolean {
    return this.#leases.get(lease.key) === lease;
  }

  #forget(lease: Lease): void {
    if (this.#keeps(lease)) this.#leases.delete(lease.key);
    lease.open(false);
  }

  #schedule(): void {
    const { timing, clock } = this.#options;
    this.#timer?.cancel();
    if (this.#stopped.signal.aborted) return;
    const delayMs = this.#leases.size > 0 ? timing.heartbeatMs : timing.idleHeartbeatMs;
    this.#timer = clock.after(delayMs, () => this.#beatSoon());
  }

  #beatSoon(): void {
    this.#again = true;
    if (this.#beating || this.#stopped.signal.aborted) return;
    this.#beating = true;
    // Jobs of one claim are held one after another in the same turn: one heartbeat names them all.
    queueMicrotask(() => void this.#beat());
  }

  async #beat(): Promise<void> {
    this.#again = false;
    const held = [...this.#leases.values()];
    const sentMs = this.#options.clock.monotonicMs();
    try {
      const answer = await this.#send(held);
      const said = readAnswer(answer);
      for (const lease of held) this.#renew(lease, sentMs, said);
      if (answer.drain) this.#options.onDrain(answer.drain);
      if (answer.queries) this.#options.onQueries();
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#failed(error);
      this.#again = false;
    }
    this.#beating = false;
    if (this.#again) this.#beatSoon();
    else this.#schedule();
  }

  #send(held: readonly Lease[]): Promise<HeartbeatAnswer> {
    const { controlPlane, incarnation, timing } = this.#options;
    return controlPlane.heartbeat(
      { incarnation, held: held.map(({ ref }) => ref) },
      { signal: this.#stopped.signal, deadlineMs: Math.max(timing.leaseMs, workerLimits.heartbeatMsMin) },
    );
  }

  #renew(lease: Lease, sentMs: number, said: Said): void {
    if (!this.#keeps(lease)) return;
    const { key } = lease;
    if (said.lost.has(key)) {
      this.#forget(lease);
      lease.holder.onLost();
      return;
    }
    lease.deadlineMs = Math.max(lease.deadlineMs, sentMs + this.#options.timing.leaseMs);
    if (this.#options.clock.monotonicMs() < lease.deadlineMs) lease.open(true);
    const reason = said.cancel.get(key);
    if (reason !== undefined) lease.holder.onCancel(reason);
    else if (said.giveBack.has(key)) lease.holder.onGiveBack();
  }

  #failed(error: unknown): void {
    const { logger } = this.#options;
    if (error instanceof RetryLaterError) logger.debug({ err: error }, 'a heartbeat was not answered');
    else logger.warn({ err: error }, 'a heartbeat was refused');
  }
}

/** What a lease asks of its keeper. */
interface LeaseKeeping {
  readonly nowMs: () => number;
  readonly keeps: (lease: Lease) => boolean;
  readonly beatSoon: () => void;
  readonly forget: (lease: Lease) => void;
}

/** One lease: thousands are held at the same time, and of hardly any is asked more than its key. */
class Lease implements KeptLease {
  readonly ref: LeaseRef;
  readonly key: string;
  readonly holder: LeaseHolder;
  deadlineMs: number;
  readonly #keeping: LeaseKeeping;
  /** Effects that wait for a heartbeat. */
  #gates: Set<(mayStart: boolean) => void> | undefined;

  constructor(
    granted: { readonly ref: LeaseRef; readonly holder: LeaseHolder; readonly deadlineMs: number },
    keeping: LeaseKeeping,
  ) {
    this.ref = granted.ref;
    this.key = keyOf(granted.ref);
    this.holder = granted.holder;
    this.deadlineMs = granted.deadlineMs;
    this.#keeping = keeping;
  }

  mayStartEffect(signal: AbortSignal): boolean | Promise<boolean> {
    if (!this.#keeping.keeps(this) || signal.aborted) return false;
    if (this.#keeping.nowMs() < this.deadlineMs) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const shut = (): void => resolve(false);
    signal.addEventListener('abort', shut, { once: true });
    const gates = (this.#gates ??= new Set());
    gates.add(resolve);
    this.#keeping.beatSoon();
    return promise.finally(() => {
      gates.delete(resolve);
      signal.removeEventListener('abort', shut);
    });
  }

  /** Answers the effects that wait. */
  open(mayStart: boolean): void {
    for (const answer of this.#gates ?? []) answer(mayStart);
  }

  leftMs(): number {
    return this.#keeping.keeps(this) ? Math.max(0, this.deadlineMs - this.#keeping.nowMs()) : 0;
  }

  release(): void {
    this.#keeping.forget(this);
  }
}

/** What an answer says of leases, by their keys: of thousands that are held, many may have ended meanwhile. */
interface Said {
  readonly lost: ReadonlySet<string>;
  readonly cancel: ReadonlyMap<string, string>;
  readonly giveBack: ReadonlySet<string>;
}

const readAnswer = ({ lost, cancel, giveBack = [] }: HeartbeatAnswer): Said => ({
  lost: new Set(lost.map(keyOf)),
  cancel: new Map(cancel.map((one) => [keyOf(one), one.reason])),
  giveBack: new Set(giveBack.map(keyOf)),
});

const keyOf = ({ job, epoch }: LeaseRef): string => `${epoch}:${job}`;

/** What a holder says when its lease is gone. */
export const staleLease = ({ job, epoch }: LeaseRef): MvmError =>
  mvmError('STALE_LEASE', `epoch ${epoch} of job "${job}" is over: another holder may have it`, { job, epoch });

/**
 * Claims that wait for a job, first come first served. Owns the waiting requests, and an estimate of how many jobs they
 * might find; what can be claimed is decided by the store alone.
 *
 * 1. A request is tried at once when nobody waits before it, and again after every commit that makes jobs available, or
 *    at the earliest time at which one will be.
 * 2. The estimate is never too low: it falls only by a claim that is under way, or that came back with less than it asked for.
 * 3. A worker that fell silent has no place in the queue: what it were given would wait for a lease to run out.
 * 4. A request whose signal fires leaves the queue; what was claimed for it in that moment is given back.
 */
import { mvmError } from '@mvm-ci/protocol';
import type { Clock, Timer } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Effects } from '../machine/effects.ts';
import type { ClaimedRow } from '../machine/reply.ts';

/** A request for jobs. */
export interface ClaimWish {
  readonly worker: string;
  readonly incarnation: string;
  readonly capacity: number;
  /** How long to wait for the first job. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** What the queue needs. */
export interface ClaimQueueOptions {
  readonly clock: Clock;
  /** Claims in the store. */
  readonly claim: (wish: ClaimWish) => Promise<readonly ClaimedRow[]>;
  /** Gives jobs back that nobody waits for any more. */
  readonly giveBack: (wish: ClaimWish, jobs: readonly ClaimedRow[]) => Promise<unknown>;
}

interface Waiter {
  readonly wish: ClaimWish;
  order: number;
  readonly resolve: (jobs: readonly ClaimedRow[]) => void;
  readonly reject: (error: unknown) => void;
  /** Set once the request is answered or given up. */
  over: boolean;
  timer: Timer | undefined;
}

/** See the head of this file. */
export class ClaimQueue {
  readonly #options: ClaimQueueOptions;
  /** In order of arrival. */
  #waiting: Waiter[] = [];
  #available = 0;
  /** Commits that made jobs available, counted. */
  #commits = 0;
  /** Claims under way. */
  #trying = 0;
  #lastOrder = 0;
  #wake: { readonly timer: Timer; readonly at: number } | undefined;
  #stopped = false;

  constructor(options: ClaimQueueOptions) {
    this.#options = options;
  }

  /** Requests that wait now. */
  get length(): number {
    return this.#waiting.length;
  }

  /**
   * Claims jobs; an empty list when none came in time, or the signal fired.
   *
   * @throws UNAVAILABLE when too many requests wait, or the store could not commit
   */
  claim(wish: ClaimWish): Promise<readonly ClaimedRow[]> {
    if (wish.signal.aborted || this.#stopped) return Promise.resolve([]);
    if (this.#waiting.length >= controlLimits.claimsWaitingMax) {
      throw mvmError('UNAVAILABLE', `${controlLimits.claimsWaitingMax} claims wait already`);
    }
    return new Promise((resolve, reject) => {
      this.#lastOrder += 1;
      const waiter: Waiter = { wish, order: this.#lastOrder, resolve, reject, over: false, timer: undefined };
      wish.signal.addEventListener('abort', () => this.#end(waiter, []), { once: true });
      if (this.#waiting.length === 0 || wish.waitMs === 0) void this.#try(waiter);
      else this.#wait(waiter);
    });
  }

  /** Follows what a commit made available. */
  follow(effects: Effects): void {
    if (effects.runAt !== null) this.#wakeAt(effects.runAt);
    if (effects.available === 0) return;
    this.#available += effects.available;
    this.#commits += 1;
    this.#pump();
  }

  /** Whose requests wait now. */
  waitingWorkers(): ReadonlySet<string> {
    return new Set(this.#waiting.map(({ wish }) => wish.worker));
  }

  /** Answers the requests that match with nothing: whoever is alive asks again. */
  dismiss(matches: (wish: ClaimWish) => boolean): void {
    for (const waiter of this.#waiting) if (matches(waiter.wish)) this.#end(waiter, []);
  }

  /** Answers the request that has waited longest with nothing. */
  nudge(): void {
    const [first] = this.#waiting;
    if (first) this.#end(first, []);
  }

  /** Answers everybody with nothing. Idempotent. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.timer.cancel();
    for (const waiter of this.#waiting) this.#end(waiter, []);
  }

  #pump(): void {
    while (this.#available > 0) {
      const waiter = this.#waiting.shift();
      if (waiter === undefined) break;
      if (!waiter.over) void this.#try(waiter);
    }
    // With nobody to wake there is nothing to estimate: the next request is tried anyway.
    if (this.#waiting.length === 0 && this.#trying === 0) this.#available = 0;
  }

  async #try(waiter: Waiter): Promise<void> {
    const { capacity } = waiter.wish;
    const commits = this.#commits;
    this.#trying += 1;
    this.#available = Math.max(this.#available - capacity, 0);
    try {
      const jobs = await this.#options.claim(waiter.wish);
      if (jobs.length === capacity) this.#available = Math.max(this.#available, 1);
      else if (commits === this.#commits) this.#available = 0;
      this.#settle(waiter, jobs);
    } catch (error) {
      this.#available = Math.max(this.#available, 1);
      waiter.over = true;
      waiter.timer?.cancel();
      waiter.reject(error);
    }
    this.#trying -= 1;
    this.#pump();
  }

  #settle(waiter: Waiter, jobs: readonly ClaimedRow[]): void {
    if (jobs.length === 0) return this.#waitAtTheEnd(waiter);
    if (!waiter.over) return this.#end(waiter, jobs);
    // When that fails the lease runs out by itself.
    this.#options.giveBack(waiter.wish, jobs).catch(() => undefined);
  }

  // A job that this worker may not have, such as a second suspect, must not be kept from those behind it.
  #waitAtTheEnd(waiter: Waiter): void {
    this.#lastOrder += 1;
    waiter.order = this.#lastOrder;
    this.#wait(waiter);
  }

  #wait(waiter: Waiter): void {
    if (waiter.over) return;
    if (waiter.wish.waitMs === 0 || this.#stopped) return this.#end(waiter, []);
    waiter.timer ??= this.#options.clock.after(waiter.wish.waitMs, () => this.#end(waiter, []));
    const place = this.#waiting.findLastIndex((other) => other.order < waiter.order) + 1;
    this.#waiting.splice(place, 0, waiter);
  }

  #end(waiter: Waiter, jobs: readonly ClaimedRow[]): void {
    if (waiter.over) return;
    waiter.over = true;
    waiter.timer?.cancel();
    this.#waiting = this.#waiting.filter((other) => other !== waiter);
    waiter.resolve(jobs);
  }

  #wakeAt(at: number): void {
    if (this.#stopped || (this.#wake !== undefined && this.#wake.at <= at)) return;
    this.#wake?.timer.cancel();
    const delayMs = Math.max(at - this.#options.clock.wallMs(), 1);
    this.#wake = { timer: this.#options.clock.after(delayMs, () => this.#woken()), at };
  }

  #woken(): void {
    this.#wake = undefined;
    this.#available += 1;
    this.#pump();
  }
}

/**
 * Claims that wait for a job, first come first served among those that may take it. Owns the waiting requests, and an
 * estimate of how many jobs of each class they might find; what can be claimed is decided by the store alone.
 *
 * 1. A request is tried at once when nobody who can do the same waits before it, and again after every commit that makes
 *    jobs available which it may take, or at the earliest time at which one will be.
 * 2. The estimate is never too low: it falls only by a claim that is under way, whose commit says what it left, or that came
 *    back with less than it asked for.
 * 3. When a time has come (a delay, a rate, a suspect), nobody knows for whom: of those who can do the same one looks, and if it
 *    was given all that it asked for, the next one too, as such a claim doesn't look at what comes later.
 * 4. A worker that fell silent has no place in the queue: what it were given would wait for a lease to run out.
 * 5. A request whose signal fires leaves the queue; what was claimed for it in that moment is given back.
 * 6. Of those who wait first, one that has the module at hand is preferred (locality).
 * 7. What a command that was just sent will make available is expected: whoever waits for it is tried behind that command, in
 *    the same commit, and not again when the commit tells of it. What did not come after all may have stood for what others made
 *    available meanwhile, and is told then.
 */
import { mvmError } from '@mvm-ci/protocol';
import type { Clock, Timer } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Available, Effects } from '../machine/effects.ts';
import type { JobClass } from '../machine/lane-table.ts';
import { canServe, type Ability } from '../machine/pick.ts';
import type { ClaimedRow } from '../machine/reply.ts';

/** A request for jobs. */
export interface ClaimWish extends Ability {
  readonly worker: string;
  readonly incarnation: string;
  readonly capacity: number;
  /** How long to wait for the first job. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  /** Hashes of modules that the worker has at hand. */
  readonly modules: readonly string[];
  /** Whether the worker takes errands when it is idle. @default true */
  readonly errands?: boolean | undefined;
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
  /** Equal for those who can do the same. */
  readonly ability: string;
  order: number;
  readonly resolve: (jobs: readonly ClaimedRow[]) => void;
  readonly reject: (error: unknown) => void;
  /** Set once the request is answered or given up. */
  over: boolean;
  /** Set when it is to be answered with nothing, while its claim is under way. */
  isDismissed: boolean;
  /** Set when a job waits for its worker alone that its claim under way may have come too early for. */
  isCalled: boolean;
  timer: Timer | undefined;
}

/** See the head of this file. */
export class ClaimQueue {
  readonly #options: ClaimQueueOptions;
  /** In order of arrival. */
  readonly #waiting: Waiter[] = [];
  readonly #available: Map<string, Estimate> = new Map();
  /** Jobs that are expected and were not seen yet, in the order of their commands (7). */
  readonly #expected: Map<string, Set<{ count: number }>> = new Map();
  /** Abilities of which a claim has looked, since a time came last (3). */
  #looked: Set<string> = new Set();
  /** Whether somebody who waits may have to look. */
  #mustLook = false;
  /** Requests whose claims are under way. */
  readonly #trying: Set<Waiter> = new Set();
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
      const ability = abilityText(wish);
      const waiter: Waiter = {
        wish,
        ability,
        order: this.#lastOrder,
        resolve,
        reject,
        over: false,
        isDismissed: false,
        isCalled: false,
        timer: undefined,
      };
      wish.signal.addEventListener('abort', () => this.#end(waiter, []), { once: true });
      if (wish.waitMs === 0 || !this.#waiting.some((other) => other.ability === ability)) void this.#try(waiter);
      else this.#wait(waiter);
    });
  }

  /** Follows what a commit made available. */
  follow(effects: Effects): void {
    if (effects.runAt !== null) this.#wakeAt(effects.runAt);
    for (const worker of effects.called) this.#call(worker);
    if (effects.available.size === 0) return;
    for (const [name, found] of effects.available) this.#add(name, found, this.#unexpected(name, found.count));
    if (this.#available.size > controlLimits.classesEstimated) this.#estimateNothing();
    this.#pump();
  }

  /**
   * Expects what a command will make available that was sent to the store just now (7).
   *
   * @returns ends the expectation, once the command's effects were followed or it was refused; `isMet`: all of it came
   */
  expect(coming: ReadonlyMap<string, Available>): (isMet: boolean) => void {
    const ends = [...coming].map(([name, found]) => this.#expectOne(name, found));
    this.#pump();
    return (isMet) => {
      for (const end of ends) end(isMet);
      if (!isMet) this.#pump();
    };
  }

  /** Whose requests wait now. */
  waitingWorkers(): ReadonlySet<string> {
    return new Set(this.#waiting.map(({ wish }) => wish.worker));
  }

  /** Answers the requests that match with nothing: whoever is alive asks again. */
  dismiss(matches: (wish: ClaimWish) => boolean): void {
    for (const waiter of this.#waiting.filter(({ wish }) => matches(wish))) this.#end(waiter, []);
    for (const waiter of this.#trying) if (matches(waiter.wish)) waiter.isDismissed = true;
  }

  /** Answers the request for such jobs that has waited longest, of those whose workers take errands, with nothing. */
  nudge(kind: string): void {
    const first = this.#waiting.find(({ wish }) => wish.errands !== false && wish.kinds.includes(kind));
    if (first) this.#end(first, []);
  }

  /** Answers everybody with nothing. Idempotent. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.timer.cancel();
    for (const waiter of this.#waiting.splice(0)) this.#end(waiter, []);
  }

  #expectOne(name: string, found: Available): (isMet: boolean) => void {
    this.#add(name, found, found.count);
    const expected = this.#expected.get(name) ?? new Set();
    const expectation = { count: found.count };
    this.#expected.set(name, expected.add(expectation));
    return (isMet) => {
      expected.delete(expectation);
      if (expected.size === 0 && this.#expected.get(name) === expected) this.#expected.delete(name);
      if (!isMet) this.#add(name, found, found.count - expectation.count);
    };
  }

  /** How many of `count` jobs were not expected. */
  #unexpected(name: string, count: number): number {
    let left = count;
    for (const expectation of this.#expected.get(name) ?? []) {
      const met = Math.min(expectation.count, left);
      expectation.count -= met;
      left -= met;
    }
    return left;
  }

  #add(name: string, found: Available, count: number): void {
    const known = this.#available.get(name);
    const estimate = known ?? { ...found, count: 0, commits: 0, left: 0, trying: 0 };
    if (known === undefined) this.#available.set(name, estimate);
    estimate.count += count;
    if (found.count > 0) estimate.commits += 1;
    estimate.module = found.module ?? estimate.module;
    estimate.left = found.left ?? estimate.left;
    raise(estimate);
  }

  /** Too many to be looked at with each commit: whoever waits finds out. */
  #estimateNothing(): void {
    this.#available.clear();
    this.#timeCame();
  }

  /** A job waits for this worker alone; one that asks for nothing at the moment finds it when it asks. */
  #call(worker: string): void {
    const place = this.#waiting.findIndex(({ wish }) => wish.worker === worker);
    if (place !== -1) return this.#tryNext(place);
    for (const waiter of this.#trying) if (waiter.wish.worker === worker) waiter.isCalled = true;
  }

  #timeCame(): void {
    this.#looked = new Set();
    this.#mustLook = true;
  }

  #pump(): void {
    if (this.#mustLook) this.#letLook();
    for (const estimate of this.#available.values()) {
      while (estimate.count > 0) {
        const place = this.#placeFor(estimate);
        if (place === -1) break;
        this.#tryNext(place);
      }
    }
    // With nobody to wake there is nothing to estimate: the next request is tried anyway.
    if (this.#waiting.length === 0 && this.#trying.size === 0) this.#available.clear();
  }

  #letLook(): void {
    this.#mustLook = false;
    const next = (): number => this.#waiting.findIndex(({ ability }) => !this.#looked.has(ability));
    for (let place = next(); place !== -1; place = next()) this.#tryNext(place);
  }

  #placeFor(estimate: Estimate): number {
    const first = this.#waiting.findIndex(({ wish }) => canServe(wish, estimate));
    const { module } = estimate;
    if (first === -1 || module === null) return first;
    const end = first + controlLimits.localityWaitersMax;
    const local = this.#waiting.findIndex(
      ({ wish }, place) => place < end && wish.modules.includes(module) && canServe(wish, estimate),
    );
    return local === -1 ? first : local;
  }

  #tryNext(place: number): void {
    const [waiter] = this.#waiting.splice(place, 1);
    if (waiter?.over === false) void this.#try(waiter);
  }

  async #try(waiter: Waiter): Promise<void> {
    const { capacity, worker } = waiter.wish;
    waiter.isCalled = false;
    const served = [...this.#available.values()].filter((estimate) => canServe(waiter.wish, estimate));
    const before = served.map((estimate) => ({ estimate, commits: estimate.commits }));
    const looked = this.#looked.add(waiter.ability);
    const lookAgain = (): void => {
      looked.delete(waiter.ability);
      this.#mustLook = true;
    };
    this.#trying.add(waiter);
    for (const estimate of served) {
      estimate.count = Math.max(estimate.count - capacity, 0);
      estimate.trying += capacity;
    }
    try {
      const jobs = await this.#options.claim(waiter.wish);
      if (jobs.length === capacity) lookAgain();
      for (const { estimate, commits } of before) {
        estimate.trying -= capacity;
        if (jobs.length === capacity) raise(estimate);
        else if (commits === estimate.commits) Object.assign(estimate, { count: 0, left: 0 });
      }
      this.#settle(waiter, jobs);
    } catch (error) {
      for (const estimate of served) {
        estimate.trying -= capacity;
        estimate.count = Math.max(estimate.count, 1);
      }
      lookAgain();
      waiter.over = true;
      waiter.timer?.cancel();
      waiter.reject(error);
    }
    this.#trying.delete(waiter);
    if (waiter.isCalled) this.#call(worker);
    this.#pump();
  }

  #settle(waiter: Waiter, jobs: readonly ClaimedRow[]): void {
    if (jobs.length === 0 && waiter.isDismissed) return this.#end(waiter, []);
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
    const place = this.#waiting.indexOf(waiter);
    if (place !== -1) this.#waiting.splice(place, 1);
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
    this.#timeCame();
    this.#pump();
  }
}

/** How many jobs of a class there may be for those who wait. */
interface Estimate extends JobClass {
  count: number;
  /** Commits that made jobs of it available. */
  commits: number;
  /** How many there were after the last claim. */
  left: number;
  /** What the claims under way may take of it. */
  trying: number;
  module: string | null;
}

/** What was left, and what no claim under way can take, is for others. */
const raise = (estimate: Estimate): void => {
  estimate.count = Math.max(estimate.count, estimate.left - estimate.trying);
};

const abilityText = ({ kinds, tags, queues }: Ability): string => JSON.stringify([kinds, tags, queues]);

/**
 * Tells those who wait that something has changed: event streams (any change), status requests (the end or the response of
 * a job) and holders of jobs (an item in an inbox).
 */
import { mvmError } from '@mvm-ci/protocol';
import type { Clock } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Effects } from '../machine/effects.ts';

/** How long to wait. */
export interface WaitOptions {
  readonly waitMs: number;
  readonly signal: AbortSignal;
}

/** See the head of this file. */
export class ChangeFeed {
  readonly #clock: Clock;
  readonly #streams: Set<() => void> = new Set();
  readonly #finals: Waits;
  readonly #responses: Waits;
  readonly #inboxes: Waits;
  #latest: number;
  #stopped = false;

  /** `latest` is the number of the last committed change. */
  constructor(clock: Clock, latest: number) {
    this.#clock = clock;
    this.#latest = latest;
    this.#finals = new Waits('requests wait for the end of a job', controlLimits.statusWaitsMax);
    this.#responses = new Waits('requests wait for the response of a job', controlLimits.statusWaitsMax);
    this.#inboxes = new Waits('questions wait for an item in an inbox', controlLimits.inboxWaitsMax);
  }

  /** The number of the last committed change. */
  get latest(): number {
    return this.#latest;
  }

  /** Whether nothing more will come. */
  get isStopped(): boolean {
    return this.#stopped;
  }

  follow(effects: Effects): void {
    if (effects.change > this.#latest) {
      this.#latest = effects.change;
      for (const wake of this.#streams) wake();
    }
    this.#finals.wake(effects.finals);
    this.#responses.wake(effects.finals);
    this.#responses.wake(effects.responses);
    this.#inboxes.wake(effects.inboxes);
    // Whoever asks for the inbox of a job that it holds no more is told so.
    if (effects.released.length > 0) this.#inboxes.wake(effects.released.map(({ job }) => job));
  }

  /** Resolves when there are changes after `after`, when the time is over, the signal fires or the feed stops. */
  async changed(after: number, options: WaitOptions): Promise<void> {
    if (this.#latest > after) return;
    await this.#wait(this.#streams, options);
  }

  /**
   * Resolves at the end of the job, or like {@link changed}. Ask for the job's state after calling, before awaiting: an
   * end in between is not missed then.
   *
   * @throws UNAVAILABLE when too many requests wait already
   */
  final(job: string, options: WaitOptions): Promise<void> {
    return this.#waitFor(this.#finals, job, options);
  }

  /** The same for the job's early response, or its end. @throws UNAVAILABLE */
  response(job: string, options: WaitOptions): Promise<void> {
    return this.#waitFor(this.#responses, job, options);
  }

  /** The same for an item in the job's inbox, or the end of a lease of it. @throws UNAVAILABLE */
  arrival(job: string, options: WaitOptions): Promise<void> {
    return this.#waitFor(this.#inboxes, job, options);
  }

  /** Wakes everybody for the last time. Idempotent. */
  stop(): void {
    this.#stopped = true;
    for (const wake of this.#streams) wake();
    for (const waits of [this.#finals, this.#responses, this.#inboxes]) waits.wakeAll();
  }

  #waitFor(waits: Waits, job: string, options: WaitOptions): Promise<void> {
    // Thrown at once: a promise that rejects before its caller awaits it ends the process.
    const place = waits.enter(job);
    return this.#wait(place, options).finally(() => waits.leave(job));
  }

  async #wait(set: Set<() => void>, { waitMs, signal }: WaitOptions): Promise<void> {
    if (this.#stopped || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    set.add(wake);
    signal.addEventListener('abort', wake, { once: true });
    const timer = this.#clock.after(waitMs, wake);
    await promise;
    timer.cancel();
    signal.removeEventListener('abort', wake);
    set.delete(wake);
  }
}

/** Who waits for something of a job. */
class Waits {
  readonly #what: string;
  readonly #most: number;
  readonly #byJob: Map<string, { readonly wakes: Set<() => void>; visitors: number }> = new Map();
  #count = 0;

  constructor(what: string, most: number) {
    this.#what = what;
    this.#most = most;
  }

  wake(jobs: readonly string[]): void {
    for (const job of jobs) for (const wake of this.#byJob.get(job)?.wakes ?? []) wake();
  }

  wakeAll(): void {
    this.wake([...this.#byJob.keys()]);
  }

  /** @throws UNAVAILABLE when too many wait already */
  enter(job: string): Set<() => void> {
    if (this.#count >= this.#most) throw mvmError('UNAVAILABLE', `${this.#most} ${this.#what} already`);
    const place = this.#byJob.get(job) ?? { wakes: new Set(), visitors: 0 };
    this.#byJob.set(job, place);
    place.visitors += 1;
    this.#count += 1;
    return place.wakes;
  }

  leave(job: string): void {
    const place = this.#byJob.get(job);
    if (!place) return;
    place.visitors -= 1;
    this.#count -= 1;
    if (place.visitors === 0) this.#byJob.delete(job);
  }
}

/**
 * How many jobs are worth holding ahead: what is done in `prefetchMs`, by what was done lately. Begins with none, so that a
 * worker of long jobs never takes one that another worker could begin.
 */
import type { Clock } from '../clock.ts';
import { workerLimits } from '../limits.ts';

/** See the head of this file. */
export class Prefetch {
  readonly #clock: Clock;
  readonly #concurrency: number;
  #running = 0;
  #busySinceMs = 0;
  /** In the current measurement. */
  #done = 0;
  #busyMs = 0;
  #jobs = 0;

  constructor(clock: Clock, concurrency: number) {
    this.#clock = clock;
    this.#concurrency = concurrency;
  }

  /** Jobs to hold ahead. */
  get jobs(): number {
    return this.#jobs;
  }

  begin(): void {
    if (this.#running === 0) this.#busySinceMs = this.#clock.monotonicMs();
    this.#running += 1;
  }

  end(): void {
    this.#running -= 1;
    this.#done += 1;
    const now = this.#clock.monotonicMs();
    const busyMs = this.#busyMs + now - this.#busySinceMs;
    if (this.#running === 0) this.#busyMs = busyMs;
    if (this.#done < this.#concurrency && busyMs < workerLimits.prefetchMs) return;
    // Jobs in the time in which any ran: waits for new ones don't count.
    const perMs = this.#done / Math.max(busyMs, minimalMs);
    const wanted = Math.floor(perMs * workerLimits.prefetchMs);
    // Jobs that each take longer than the time ahead are not hoarded, however many run at the same time.
    this.#jobs = wanted <= this.#concurrency ? 0 : Math.min(wanted, 2 * this.#jobs + this.#concurrency);
    this.#done = 0;
    this.#busyMs = 0;
    this.#busySinceMs = now;
  }
}

const minimalMs = 0.01;

/**
 * What workers said that they can do when they last asked for jobs. Owns nothing that matters to the queue: it explains why
 * a job finds no worker.
 */
import type { Clock } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Ability } from '../machine/pick.ts';

/** A worker and what it can do. */
export interface AbleWorker extends Ability {
  readonly worker: string;
  /** When it last asked, on the monotonic clock. */
  readonly askedMs: number;
}

/** See the head of this file. */
export class WorkerAbilities {
  readonly #clock: Clock;
  readonly #workers: Map<string, AbleWorker> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  note(worker: string, { kinds, tags, queues }: Ability): void {
    // In the order in which they asked, the latest last.
    this.#workers.delete(worker);
    this.#workers.set(worker, { worker, kinds, tags, queues, askedMs: this.#clock.monotonicMs() });
    const [eldest] = this.#workers.keys();
    if (this.#workers.size > controlLimits.abilitiesMax && eldest !== undefined) this.#workers.delete(eldest);
  }

  forget(worker: string): void {
    this.#workers.delete(worker);
  }

  /** Workers that asked within `withinMs`, and those that `isBusy`: whoever has no free slot asks for nothing. */
  current(withinMs: number, isBusy: (worker: string) => boolean): readonly AbleWorker[] {
    const since = this.#clock.monotonicMs() - withinMs;
    return [...this.#workers.values()].filter(({ worker, askedMs }) => askedMs >= since || isBusy(worker));
  }
}

/**
 * Places for the requests of one connection. The transport's own limit (stream credit) makes an opening hang, and a
 * hung call can't be cancelled; so requests wait here, where giving up costs nothing.
 */
import { mvmError } from '@mvm-ci/protocol';

/** A place, or the wait for one. `leave` is idempotent, and legal before `ready`. */
export interface Place {
  /** Absent when the place could be taken at once. */
  readonly ready: Promise<void> | undefined;
  leave(): void;
}

export class Gate {
  readonly #placesMax: number;
  readonly #waitingMax: number;
  readonly #waiting = new Set<() => void>();
  #taken = 0;

  constructor(limits: { readonly placesMax: number; readonly waitingMax: number }) {
    this.#placesMax = limits.placesMax;
    this.#waitingMax = limits.waitingMax;
  }

  /** Places taken now. */
  get taken(): number {
    return this.#taken;
  }

  /** Takes a place or queues for one, in order. @throws UNAVAILABLE when too many wait already */
  enter(): Place {
    if (this.#taken < this.#placesMax) {
      this.#taken += 1;
      return this.#place();
    }
    if (this.#waiting.size >= this.#waitingMax) {
      throw mvmError('UNAVAILABLE', `${this.#waitingMax} requests wait for this connection already`);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    return this.#place(promise, resolve);
  }

  #place(ready?: Promise<void>, queued?: () => void): Place {
    let hasLeft = false;
    return {
      ready,
      leave: () => {
        if (hasLeft) return;
        hasLeft = true;
        if (queued && this.#waiting.delete(queued)) return;
        this.#handOn();
      },
    };
  }

  #handOn(): void {
    const [next] = this.#waiting;
    if (!next) {
      this.#taken -= 1;
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}

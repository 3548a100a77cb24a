/**
 * Whose code is on a thread's stack. It owns the pulse, by which the main side sees that (`thread-link.ts` watches it), and
 * the order in which guests that were suspended inside of a step come back. It knows nothing of steps.
 *
 *   1. At most one guest is on stage. Being on stage means: the thread's stack is this guest's, so whatever hangs or kills
 *      the thread now is this guest's doing.
 *   2. A guest that waits comes back in a macrotask of its own, in the order in which the waits ended: between two guests
 *      the thread reads its port, and what one of them does to its microtask queue can't reach the other.
 *   3. Whoever comes back either goes on at once, in the microtasks of that macrotask, or never: then the stage is taken
 *      from it when they are through.
 */
import { pulseWords } from './thread-message.ts';

interface Return {
  readonly guest: number;
  readonly goOn: () => void;
}

const nobody = 0;

export class Stage {
  readonly #pulse: Int32Array;
  readonly #nextMacrotask: (task: () => void) => void;
  readonly #returns: Return[] = [];
  #guest = nobody;
  #isScheduled = false;

  /** `nextMacrotask` runs a task after the events that are already there. */
  constructor(pulse: Int32Array, nextMacrotask: (task: () => void) => void) {
    this.#pulse = pulse;
    this.#nextMacrotask = nextMacrotask;
  }

  /** Who is on stage; 0 is nobody. */
  get guest(): number {
    return this.#guest;
  }

  /** `guest` goes on stage; if it was there already, its next step begins (the watchdog counts each by itself). */
  enter(guest: number): void {
    this.#clear();
    this.#guest = guest;
    Atomics.store(this.#pulse, pulseWords.guest, guest);
    Atomics.add(this.#pulse, pulseWords.beat, 1);
  }

  /** `guest` leaves the stage, if it is there. */
  leave(guest: number): void {
    if (this.#guest === guest) this.#clear();
  }

  /**
   * For a guest whose stack is about to be suspended. The promise settles as `ready` does, but only when the guest's turn
   * has come: the guest is on stage again, and whoever waits for the promise must go on at once (3).
   */
  wait<T>(guest: number, ready: Promise<T>): Promise<T> {
    this.leave(guest);
    const { promise, resolve } = Promise.withResolvers<T>();
    const comeBack = (): void => this.#queue({ guest, goOn: () => resolve(ready) });
    ready.then(comeBack, comeBack);
    return promise;
  }

  #clear(): void {
    if (this.#guest === nobody) return;
    this.#guest = nobody;
    Atomics.add(this.#pulse, pulseWords.beat, 1);
  }

  #queue(next: Return): void {
    this.#returns.push(next);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#nextMacrotask(() => this.#turn());
  }

  #turn(): void {
    this.#isScheduled = false;
    this.#clear();
    const next = this.#returns.shift();
    if (!next) return;
    this.enter(next.guest);
    next.goOn();
    // Takes the stage from it (3), and lets the next one come back.
    this.#schedule();
  }
}

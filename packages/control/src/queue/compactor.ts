/**
 * Packs the journals of jobs that have been over for a while, a few jobs at a time and with pauses, so that whoever works is not held up.
 *
 *   1. One command at a time; after one that found much to do the next one comes soon, else after a longer pause.
 *   2. What fails is tried again at the next turn: nothing depends on it.
 */
import type { Clock, Timer } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Store } from '../store/store.ts';

/** See the head of this file. */
export class Compactor {
  readonly #parts: { readonly store: Store; readonly clock: Clock; readonly afterMs: number };
  #timer: Timer | undefined;
  #isStopped = false;
  #turn: Promise<void> | undefined;

  /** `afterMs`: how long a job must have been over; infinity: nothing is ever packed. */
  constructor(parts: { readonly store: Store; readonly clock: Clock; readonly afterMs: number }) {
    this.#parts = parts;
    if (Number.isFinite(parts.afterMs)) this.#wait(controlLimits.compactPauseMs);
  }

  /** Waits for the turn that is under way. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#turn;
  }

  #wait(ms: number): void {
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.after(ms, () => {
      this.#turn = this.#pack();
    });
  }

  async #pack(): Promise<void> {
    const { store, clock, afterMs } = this.#parts;
    const at = clock.wallMs();
    const jobsMax = controlLimits.compactJobs;
    try {
      const { seen } = await store.apply<'compact'>({ type: 'compact', at, before: at - afterMs, jobsMax });
      this.#wait(seen === jobsMax ? controlLimits.compactPauseMs : controlLimits.compactIdleMs);
    } catch {
      this.#wait(controlLimits.compactIdleMs);
    }
  }
}

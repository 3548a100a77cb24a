/**
 * What the engine's side of a link knows about the lease (I4, design section 6): a deadline that is never later than the
 * holder's own.
 *
 *   1. The deadline is the moment at which the engine *sent* what the holder answered, plus the time that the answer says
 *      is left: the holder can only have looked later.
 *   2. Past the deadline the gate asks, and waits for the answer. One question is open at a time.
 *   3. An answer of 0 means that the lease is lost: the gate never opens again.
 */
import type { Clock } from '@mvm-ci/protocol';

export interface LeaseGateOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Sends question number `ask`. */
  readonly onAsk: (ask: number) => void;
}

export class LeaseGate {
  readonly #options: LeaseGateOptions;
  readonly #waiting = new Set<(mayStart: boolean) => void>();
  #deadlineMs = Number.NEGATIVE_INFINITY;
  #asks = 0;
  #askedMs: number | undefined;
  #isShut = false;

  constructor(options: LeaseGateOptions) {
    this.#options = options;
  }

  /** See `RunPorts.mayStartEffect`. */
  mayStartEffect(signal: AbortSignal): boolean | Promise<boolean> {
    if (this.#isShut || signal.aborted) return false;
    if (this.#isOpen) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const giveUp = (): void => resolve(false);
    signal.addEventListener('abort', giveUp, { once: true });
    this.#waiting.add(resolve);
    this.#ask();
    return promise.finally(() => {
      this.#waiting.delete(resolve);
      signal.removeEventListener('abort', giveUp);
    });
  }

  /** What was sent at `sentMs` is answered, with so much time left. */
  renew(sentMs: number, leaseLeftMs: number): void {
    this.#deadlineMs = Math.max(this.#deadlineMs, sentMs + leaseLeftMs);
    if (this.#isOpen) this.#let(true);
  }

  /** Question number `ask` is answered. */
  answer(ask: number, leaseLeftMs: number): void {
    const sentMs = this.#askedMs;
    if (sentMs === undefined || ask !== this.#asks) return;
    this.#askedMs = undefined;
    if (leaseLeftMs === 0) return this.shut();
    this.renew(sentMs, leaseLeftMs);
    // The answer took longer than the lease.
    if (this.#waiting.size > 0) this.#ask();
  }

  /** No effect starts any more. Idempotent. */
  shut(): void {
    this.#isShut = true;
    this.#let(false);
  }

  get #isOpen(): boolean {
    return !this.#isShut && this.#options.clock.monotonicMs() < this.#deadlineMs;
  }

  #ask(): void {
    if (this.#askedMs !== undefined) return;
    this.#asks += 1;
    this.#askedMs = this.#options.clock.monotonicMs();
    this.#options.onAsk(this.#asks);
  }

  #let(mayStart: boolean): void {
    for (const resolve of this.#waiting) resolve(mayStart);
    this.#waiting.clear();
  }
}

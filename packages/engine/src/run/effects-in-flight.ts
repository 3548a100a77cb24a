/**
 * The effects of one run that are in flight: requests and timers, by their calls. It owns them, and decides nothing.
 *
 *   1. A request starts only while the holder's lease lasts (I4); when that is over, none starts any more.
 *   2. What was aborted is not answered.
 */
import { type Answer, type Clock, type FetchIntent, type MvmError, type Timer, type Tracer } from '@mvm-ci/protocol';
import { tracedFetch } from '../effects/effect-span.ts';
import { idempotencyKey, type EffectPerformer } from '../effects/performer.ts';
import type { RunPorts, RunRequest } from '../engine.ts';

export interface EffectsInFlightOptions {
  readonly request: Pick<RunRequest, 'job' | 'attempt' | 'trace'>;
  readonly ports: Pick<RunPorts, 'mayStartEffect' | 'blobs'>;
  readonly performer: EffectPerformer;
  readonly tracer: Tracer | undefined;
  readonly clock: Clock;
  /** Why what is in flight is aborted. */
  readonly unwanted: MvmError;
  readonly onAnswer: (call: number, answer: Answer) => void;
  /** Rule 1. */
  readonly onLeaseLost: () => void;
  readonly onFault: (error: unknown) => void;
}

export class EffectsInFlight {
  readonly #options: EffectsInFlightOptions;
  readonly #effects = new Map<number, AbortController>();

  constructor(options: EffectsInFlightOptions) {
    this.#options = options;
  }

  /** Sends a request, and answers its call. */
  fetch(intent: FetchIntent): void {
    const { signal } = this.#begin(intent.call);
    this.#fetch(intent, signal).catch((error: unknown) => {
      if (!signal.aborted) this.#options.onFault(error);
    });
  }

  /** Answers a call at a time, Unix ms. */
  wake(call: number, atMs: number): void {
    const { clock } = this.#options;
    const { signal } = this.#begin(call);
    let timer: Timer | undefined;
    signal.addEventListener('abort', () => timer?.cancel(), { once: true });
    // The clock's own limit on a delay, and a wall clock that was set back, make a timer fire too early.
    const wait = (): void => {
      const leftMs = atMs - clock.wallMs();
      if (leftMs > 0) timer = clock.after(leftMs, wait);
      else this.#answer(call, { type: 'slept' });
    };
    wait();
  }

  /** A call is wanted no more. Idempotent. */
  abort(call: number): void {
    this.#effects.get(call)?.abort(this.#options.unwanted);
    this.#effects.delete(call);
  }

  /** Nothing is wanted any more. Idempotent. */
  abortAll(): void {
    for (const effect of this.#effects.values()) effect.abort(this.#options.unwanted);
    this.#effects.clear();
  }

  #begin(call: number): AbortController {
    const abort = new AbortController();
    this.#effects.set(call, abort);
    return abort;
  }

  async #fetch(intent: FetchIntent, signal: AbortSignal): Promise<void> {
    const { request, ports, performer, tracer, onLeaseLost } = this.#options;
    const mayStart = ports.mayStartEffect(signal);
    const isHeld = typeof mayStart === 'boolean' ? mayStart : await mayStart;
    if (signal.aborted) return;
    if (!isHeld) return onLeaseLost();
    const { job, attempt, trace } = request;
    const order = { intent, job, key: idempotencyKey(job, attempt, intent), blobs: ports.blobs, trace };
    const answer = await tracedFetch({ performer, tracer }, { order, attempt }, { signal });
    if (!signal.aborted) this.#answer(intent.call, answer);
  }

  #answer(call: number, answer: Answer): void {
    this.#effects.delete(call);
    this.#options.onAnswer(call, answer);
  }
}

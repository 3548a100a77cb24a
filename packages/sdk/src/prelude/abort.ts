/** `AbortController` and `AbortSignal` (DOM standard, section 3). */
import { Event, EventTarget, type Listener } from './event-target.ts';

/** Runs `callback` after `ms`; how `AbortSignal.timeout` waits. */
export type Later = (callback: () => void, ms: number) => void;

let later: Later = () => {
  throw new TypeError('AbortSignal.timeout needs the prelude');
};

/** Gives `AbortSignal.timeout` its timer. */
export const useTimer = (timer: Later): void => {
  later = timer;
};

// Set by the class's static block: only this module can abort a signal.
let abortSignal: (signal: AbortSignal, reason: unknown) => void;

/** See the DOM standard. */
export class AbortSignal extends EventTarget {
  onabort: Listener | null = null;
  #reason: unknown;
  #isAborted = false;

  get aborted(): boolean {
    return this.#isAborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  // Packages tell a signal by it.
  get [Symbol.toStringTag](): string {
    return 'AbortSignal';
  }

  throwIfAborted(): void {
    if (this.#isAborted) throw this.#reason;
  }

  /** A signal that is aborted already. */
  static abort(reason?: unknown): AbortSignal {
    const signal = new AbortSignal();
    abortSignal(signal, reason);
    return signal;
  }

  /** A signal that aborts with a `TimeoutError` after `ms`: a durable timer. */
  static timeout(ms: number): AbortSignal {
    const signal = new AbortSignal();
    later(() => abortSignal(signal, new DOMException(`timed out after ${ms} ms`, 'TimeoutError')), ms);
    return signal;
  }

  /** A signal that aborts when the first of `signals` does, for its reason. */
  static any(signals: Iterable<AbortSignal>): AbortSignal {
    const sources = [...signals];
    const aborted = sources.find((source) => source.aborted);
    if (aborted) return AbortSignal.abort(aborted.reason);
    const signal = new AbortSignal();
    for (const source of sources) source.addEventListener('abort', () => abortSignal(signal, source.reason));
    return signal;
  }

  static {
    abortSignal = (signal, reason) => {
      if (signal.#isAborted) return;
      signal.#isAborted = true;
      signal.#reason = reason === undefined ? new DOMException('This operation was aborted', 'AbortError') : reason;
      if (signal.onabort) signal.addEventListener('abort', signal.onabort, { once: true });
      signal.dispatchEvent(new Event('abort'));
    };
  }
}

/** See the DOM standard. */
export class AbortController {
  readonly signal: AbortSignal = new AbortSignal();

  /** Aborts the signal; a second time does nothing. */
  abort(reason?: unknown): void {
    abortSignal(this.signal, reason);
  }
}

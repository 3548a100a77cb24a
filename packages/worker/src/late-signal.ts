/**
 * Says once that something is over, as an `AbortController` does, and makes the signal only for who asks for it: a worker holds
 * thousands of short jobs, of which hardly any is stopped, and an `AbortSignal` costs more than the rest of such a job.
 */
export class LateSignal {
  #controller: AbortController | undefined;
  #listener: (() => void) | undefined;
  #isAborted = false;
  #reason: unknown;

  get aborted(): boolean {
    return this.#isAborted;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Idempotent: the first reason stays. */
  abort(reason?: unknown): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.#listener?.();
  }

  /** Calls `listener` when it is aborted, in place of the one before; undefined: nobody. */
  listen(listener: (() => void) | undefined): void {
    this.#listener = listener;
  }
}

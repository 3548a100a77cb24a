/**
 * Promises that were rejected while nothing handled them, as Node tells of them: once all promise jobs of a step have run. It is told of each by the
 * host (`mvm_rejected`), and of each that is handled after all.
 */
import { limits } from './limits.ts';
import { inspect } from './prelude/inspect.ts';

/** See the head of this file. */
export class UnhandledRejections {
  readonly #reasons = new Map<unknown, unknown>();

  /** The promise was rejected, and nothing handles it so far. */
  add(promise: unknown, reason: unknown): void {
    this.#reasons.set(promise, reason);
  }

  /** Something handles the promise now. */
  delete(promise: unknown): void {
    this.#reasons.delete(promise);
  }

  /** A line for each that nothing has handled by now, in the order of the rejections, and for those beyond a limit together. None is told twice. */
  take(): readonly string[] {
    if (this.#reasons.size === 0) return [];
    const reasons = [...this.#reasons.values()];
    this.#reasons.clear();
    const lines = reasons
      .slice(0, limits.unhandledTold)
      .map((reason) => `Unhandled promise rejection: ${inspect(reason)}`.slice(0, limits.logCharsMax));
    const more = reasons.length - lines.length;
    return more > 0 ? [...lines, `Unhandled promise rejections: ${more} more in this step`] : lines;
  }
}

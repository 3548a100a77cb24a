import type { CallError } from './activation.ts';

/**
 * A call that failed, as the workflow sees it. A `TypeError`, as the Fetch standard wants of a failed request, with the
 * host's `code`: `CONNECTION_LOST`, `DEADLINE_EXCEEDED`, `LIMIT_EXCEEDED`, or `OUTCOME_UNKNOWN` (the request may or may
 * not have reached its receiver, and repeating it isn't known to be harmless).
 *
 * @example
 * try { await fetch(url, { method: 'POST' }) } catch (error) {
 *   if (error instanceof EffectError && error.code === 'OUTCOME_UNKNOWN') await findOutWhetherItWasDone();
 *   else throw error;
 * }
 */
export class EffectError extends TypeError {
  override readonly name: string = 'EffectError';
  readonly code: string;

  constructor({ code, message }: CallError) {
    super(message);
    this.code = code;
  }
}

import type { AnswerEvent } from './activation.ts';
import { EffectError } from './effect-error.ts';
import type { Effect } from './intent.ts';
import { machine } from './machine.ts';

/** As much of an `AbortSignal` as waiting needs; the prelude's own and any polyfill fit. */
export interface Abortable {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/**
 * Opens a call and waits for its answer.
 *
 * @throws {EffectError} what the host answered when the effect failed.
 * @throws the signal's reason when `signal` aborts first; the call is abandoned then.
 */
export const call = (effect: Effect, signal?: Abortable | null): Promise<AnswerEvent> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      machine.abandon(number);
      reject(signal?.reason);
    };
    const number = machine.open(effect, (answer) => {
      signal?.removeEventListener('abort', onAbort);
      if (answer.error) reject(new EffectError(answer.error));
      else resolve(answer);
    });
    signal?.addEventListener('abort', onAbort);
  });

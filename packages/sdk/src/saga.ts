import { log } from './author.ts';

/** Undoes a step that was done. */
export type Compensation = () => unknown;

/** What a saga's body registers its compensations with. */
export interface Saga {
  /** `undo` is called, when a later step fails, after all that were registered after it. Register it before or right after its step. */
  readonly compensate: (undo: Compensation) => void;
}

/** Compensations that failed; `cause` is why the saga was undone. */
export class SagaError extends Error {
  override readonly name: string = 'SagaError';
  readonly errors: readonly unknown[];

  constructor(cause: unknown, errors: readonly unknown[]) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`a saga failed (${why}), and ${errors.length} of its compensations failed too`, { cause });
    this.errors = errors;
  }
}

/**
 * Runs steps that are undone together: when `body` throws, the compensations that it registered run one after another, the last one
 * first, and its error is thrown again. Each is a part of the workflow like any other: a crash in the middle goes on in the middle.
 *
 * @throws {SagaError} when a compensation throws too; the others run nevertheless.
 * @example await saga(async ({ compensate }) => {
 *   compensate(() => fetch(`${bank}/refunds/${order}`, { method: 'PUT' }));
 *   await fetch(`${bank}/payments/${order}`, { method: 'PUT' });
 *   await run('ship', { order });
 * });
 */
export const saga = async <Result>(body: (saga: Saga) => Promise<Result>): Promise<Result> => {
  const undos: Compensation[] = [];
  try {
    return await body({ compensate: (undo) => void undos.push(undo) });
  } catch (error) {
    const errors = await undoAll(undos);
    if (errors.length > 0) throw new SagaError(error, errors);
    throw error;
  }
};

const undoAll = async (undos: readonly Compensation[]): Promise<readonly unknown[]> => {
  const errors: unknown[] = [];
  for (const undo of undos.toReversed()) {
    try {
      await undo();
    } catch (error) {
      log.error('a compensation failed:', error);
      errors.push(error);
    }
  }
  return errors;
};

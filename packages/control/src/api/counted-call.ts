import { asMvmError } from '@mvm-ci/protocol';
import type { Core } from '../core.ts';

/** Serves a call, and counts it for the metrics. Rejects with what `serve` throws. */
export const counted = async <T>({ metrics, clock }: Core, route: string, serve: () => T | Promise<T>): Promise<T> => {
  const beganMs = clock.monotonicMs();
  let code = 'ok';
  try {
    return await serve();
  } catch (error) {
    code = asMvmError(error).code;
    throw error;
  } finally {
    metrics.countCall({ route, code, ms: clock.monotonicMs() - beganMs });
  }
};

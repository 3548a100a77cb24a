import { MvmError } from '@mvm-ci/protocol';
import type { Logger } from '../logger.ts';

/** Logs what a request failed with, when it is no refusal. */
export const noteUnexpected = (
  logger: Logger,
  error: unknown,
  { method, path }: { readonly method: string; readonly path: string },
): void => {
  if (error instanceof MvmError && error.code !== 'INTERNAL') return;
  logger.error({ err: error, method, path }, 'a request failed unexpectedly');
};

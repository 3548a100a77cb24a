import { mvmError, moduleHash, RetryLaterError } from '@mvm-ci/protocol';
import { Backoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { ControlPlane } from './control-plane.ts';
import { workerLimits } from './limits.ts';
import type { Random } from './random.ts';

/** Gets a module's file by its hash, for an engine. @throws MODULE_NOT_FOUND, MODULE_INVALID, CANCELLED */
export type ModuleSource = (hash: string, options: { readonly signal: AbortSignal }) => Promise<Uint8Array>;

export interface ModuleSourceOptions {
  readonly controlPlane: Pick<ControlPlane, 'module'>;
  readonly clock: Clock;
  readonly random: Random;
}

/** Modules from the control plane: asked for until they come, and checked against their hash. */
export const moduleSource =
  ({ controlPlane, clock, random }: ModuleSourceOptions): ModuleSource =>
  async (hash, { signal }) => {
    const backoff = new Backoff(clock, random);
    while (!signal.aborted) {
      try {
        return checked(hash, await controlPlane.module(hash, { signal, deadlineMs: workerLimits.moduleMs }));
      } catch (error) {
        if (!(error instanceof RetryLaterError)) throw error;
        await backoff.wait(signal);
      }
    }
    throw mvmError('CANCELLED', `module ${hash} is no longer needed`);
  };

const checked = (hash: string, file: Uint8Array): Uint8Array => {
  const received = moduleHash(file);
  if (received === hash) return file;
  throw mvmError('MODULE_INVALID', `module ${hash} was asked for and a file with the hash ${received} came`, {
    asked: hash,
    received,
  });
};

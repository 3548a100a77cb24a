/** Admission: what a module must pass before it is deployed. */
import { mvmError, type ModuleFile, type MvmError } from '@mvm-ci/protocol';
import { z } from 'zod';
import type { FaultFacts } from '../guest/guest.ts';
import { GuestThreads } from '../guest/guest-threads.ts';
import { faultFailure } from '../run/failure.ts';
import { defaultGuestLimits, type GuestLimits } from '../limits.ts';
import { systemClock } from '../system-clock.ts';
import { compileQuickjs, guestRuntimes } from '../system-quickjs.ts';
import { loadModule, type LoadedModule } from './loaded-module.ts';

export interface AdmissionOptions {
  /** @default {@link defaultGuestLimits} */
  readonly limits?: Partial<GuestLimits> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is known of a module that was admitted. */
export interface AdmittedModule {
  /** Entry points, the default one first. */
  readonly workflows: readonly string[];
}

/**
 * Checks a module as a deploy must: that its code is valid, that it asks for nothing a guest can't have, and that it
 * loads, in a guest thread of its own and within a step's time.
 *
 * @throws {MvmError} `MODULE_SYNTAX_ERROR` or `MODULE_LOAD_FAILED` with file and line of the author's source,
 *   `MODULE_UNKNOWN_IMPORT`, `MODULE_INVALID`, `STEP_TIMEOUT`, `OUT_OF_MEMORY`; `CANCELLED` when the signal fires
 */
export const admitModule = async (file: ModuleFile, options: AdmissionOptions = {}): Promise<AdmittedModule> => {
  const limits = { ...defaultGuestLimits, ...options.limits };
  const module = await loadModule(file, {
    guestRuntimes,
    compileRuntime: compileQuickjs,
    memoryBytesMax: limits.memoryBytesMax,
  });
  const threads = new GuestThreads({ threads: 1, quickjs: await compileQuickjs(), limits, clock: systemClock });
  const stop = (): void => void threads.stop();
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    if (options.signal?.aborted === true) throw cancelled();
    return { workflows: workflowsOf(file, await probe(threads, module)) };
  } finally {
    options.signal?.removeEventListener('abort', stop);
    await threads.stop();
  }
};

const probe = async (threads: GuestThreads, module: LoadedModule): Promise<string> => {
  const outcome = await threads.probe(module);
  switch (outcome.type) {
    case 'probed':
      return outcome.workflows;
    case 'faulted':
      throw loadError(outcome.facts, module.mapStack);
    case 'lost':
      throw cancelled();
    default:
      throw mvmError('INTERNAL', `a probe was answered as "${outcome.type}"`);
  }
};

const loadError = (facts: FaultFacts, mapStack: (stack: string) => string): MvmError => {
  const { code, message, details } = faultFailure(facts, mapStack);
  return mvmError(code, message, details);
};

const cancelled = (): MvmError => mvmError('CANCELLED', 'the admission was cancelled');

const namesSchema = z.array(z.string());

/** The module file's list, which a module that names its workflows itself must confirm. */
const workflowsOf = ({ kind, workflows }: ModuleFile, json: string): readonly string[] => {
  if (kind === 'core' || kind === 'wasi') return workflows;
  const defined = namesSchema.safeParse(tryParse(json));
  if (!defined.success)
    throw mvmError('MODULE_INVALID', `mvm_workflows() must return a JSON array of names: ${json.slice(0, 100)}`);
  const absent = workflows.find((name) => !defined.data.includes(name));
  if (absent === undefined) return workflows;
  throw mvmError('MODULE_INVALID', `the module file names the workflow "${absent}", which the module doesn't define`, {
    defined: defined.data,
  });
};

const tryParse = (json: string): unknown => {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
};

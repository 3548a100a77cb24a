/**
 * Prepares the WebAssembly of a module (`core-module.ts`). That takes time in proportion to its code, so a large module gets a thread
 * of its own: meanwhile every other job of the engine goes on, and keeps its lease.
 */
import { Worker } from 'node:worker_threads';
import { mvmError, type ErrorRecord, type ModuleFile } from '@mvm-ci/protocol';
import { engineLimits } from '../limits.ts';
import { prepareCore } from './core-module.ts';

/** What the thread is started with. */
export interface PreparationStart {
  readonly file: ModuleFile;
  readonly memoryBytesMax: number;
}

/** What it posts. */
export type Prepared =
  | { readonly type: 'module'; readonly wasm: WebAssembly.Module }
  | { readonly type: 'refused'; readonly error: ErrorRecord };

// Beside this file, with its extension: .ts in the repository, .js when built.
const entryPoint = new URL(
  import.meta.url.endsWith('.ts') ? './preparation-thread.ts' : './preparation-thread.js',
  import.meta.url,
);

/**
 * The compiled module, as {@link prepareCore} makes it.
 *
 * @throws {MvmError} `MODULE_INVALID`, `MODULE_UNKNOWN_IMPORT`
 */
export const prepareModule = (file: ModuleFile, memoryBytesMax: number): Promise<WebAssembly.Module> =>
  file.code.length > engineLimits.preparedHereBytesMax
    ? prepareAside({ file, memoryBytesMax })
    : prepareCore(file, memoryBytesMax);

const prepareAside = async (start: PreparationStart): Promise<WebAssembly.Module> => {
  const worker = new Worker(entryPoint, { workerData: start });
  const { promise, resolve, reject } = Promise.withResolvers<Prepared>();
  worker.on('message', resolve);
  worker.on('error', (error) => {
    const reason = error instanceof Error ? error.message : String(error);
    reject(mvmError('MODULE_INVALID', `the module can't be prepared: ${reason}`));
  });
  try {
    const prepared = await promise;
    if (prepared.type === 'module') return prepared.wasm;
    const { code, message, details } = prepared.error;
    throw mvmError(code, message, details);
  } finally {
    await worker.terminate();
  }
};

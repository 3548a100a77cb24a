/** A module file made ready to run: parsed, checked, compiled where that is to be done once. */
import { mvmError, type ModuleFile } from '@mvm-ci/protocol';
import type { GuestModule } from '../guest/guest-threads.ts';
import type { GuestCode } from '../guest/thread-message.ts';
import type { WasmKind } from './guest-shape.ts';
import { prepareModule } from './preparation.ts';
import { stackMapper } from './source-positions.ts';

/** A module that runs can use. */
export interface LoadedModule extends GuestModule {
  readonly runtime: string;
  readonly workflows: readonly string[];
  /** Bytes of its file. */
  readonly size: number;
  /** Turns positions of the bundle in a stack into those of the author's sources. */
  readonly mapStack: (stack: string) => string;
}

export interface LoadOptions {
  /** The script runtimes that this engine has, the current one first. */
  readonly guestRuntimes: readonly string[];
  /** Gets one of them compiled. */
  readonly compileRuntime: (runtime: string) => Promise<WebAssembly.Module>;
  /** Memory of a guest, in bytes. */
  readonly memoryBytesMax: number;
}

let nextId = 1;

/**
 * Makes `file` ready. A script is only evaluated when its first guest starts.
 *
 * @throws {MvmError} `MODULE_INVALID` or `MODULE_UNKNOWN_IMPORT` when it can't run here
 */
export const loadModule = async (file: ModuleFile, options: LoadOptions): Promise<LoadedModule> => ({
  id: nextId++,
  code: await guestCode(file, options),
  runtime: file.runtime,
  workflows: file.workflows,
  size: file.code.length + file.sourceMap.length,
  mapStack: stackMapper(file.sourceMap),
});

const guestCode = async (file: ModuleFile, options: LoadOptions): Promise<GuestCode> => {
  if (file.kind !== 'javascript') {
    const { kind, runtime } = file;
    checkRuntime(kind, runtime);
    const wasm = await prepareModule(file, options.memoryBytesMax);
    return { kind, wasm, variant: runtime };
  }
  const script = decodeScript(file.code);
  const { guestRuntimes, compileRuntime } = options;
  const { runtime } = file;
  if (runtime === guestRuntimes[0]) return { kind: 'javascript', script };
  if (!guestRuntimes.includes(runtime)) throw notInstalled(runtime, guestRuntimes);
  return { kind: 'javascript', script, older: { runtime, wasm: await compileRuntime(runtime) } };
};

const notInstalled = (runtime: string, guestRuntimes: readonly string[]): Error =>
  mvmError(
    'RUNTIME_NOT_INSTALLED',
    `the module was built for the runtime "${runtime}", and this engine has ${guestRuntimes.join(', ')}: build and deploy it again, or run its jobs where that runtime is installed`,
    { runtime, installed: guestRuntimes },
  );

const checkRuntime = (kind: WasmKind, runtime: string): void => {
  if (runtime === '' || (kind === 'wasi' && runtime === 'text')) return;
  throw mvmError('MODULE_INVALID', `a ${kind} module has no runtime "${runtime}"`, { kind, runtime });
};

const decodeScript = (code: Uint8Array): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(code);
  } catch {
    throw mvmError('MODULE_INVALID', 'the script is not UTF-8');
  }
};

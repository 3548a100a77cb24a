/** A module file made ready to run: parsed, checked, compiled where that is to be done once. */
import { mvmError, type ModuleFile } from '@mvm-ci/protocol';
import type { GuestModule } from '../guest/guest-threads.ts';
import type { GuestCode } from '../guest/thread-message.ts';
import type { WasmKind } from './guest-shape.ts';
import { prepareCore } from './core-module.ts';
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
  /** The script runtime that this engine has. */
  readonly guestRuntime: string;
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
    const wasm = await prepareCore(file, options.memoryBytesMax);
    return { kind, wasm, variant: runtime };
  }
  if (file.runtime !== options.guestRuntime)
    throw mvmError(
      'MODULE_INVALID',
      `the module was built for the runtime "${file.runtime}", this engine has "${options.guestRuntime}": build and deploy it again`,
      { built: file.runtime, runtime: options.guestRuntime },
    );
  return { kind: 'javascript', script: decodeScript(file.code) };
};

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

/** A `core` module on its way from bytes to a compiled module that a guest may be. */
import { mvmError, type ModuleFile } from '@mvm-ci/protocol';

/**
 * Checks and compiles the WebAssembly of a `core` module.
 *
 * @throws {MvmError} `MODULE_INVALID`, `MODULE_UNKNOWN_IMPORT`
 */
export const prepareCore = async (file: ModuleFile, _memoryBytesMax: number): Promise<WebAssembly.Module> => {
  try {
    return await WebAssembly.compile(file.code);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('MODULE_INVALID', `not a valid WebAssembly module: ${reason}`);
  }
};

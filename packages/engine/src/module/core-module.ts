/** A WebAssembly module on its way from bytes to a compiled module that guests may be made of. */
import { mvmError, type ModuleFile } from '@mvm-ci/protocol';
import { canonicalizeNaN } from './canonical-nan.ts';
import { exposeState } from './core-state.ts';
import { scanCore, type MemorySection } from './core-scan.ts';
import { meter } from './metering.ts';
import { ModuleEdit } from './module-edit.ts';
import { withTableMax } from './table-section.ts';
import { leb } from './wasm-writer.ts';

const pageBytes = 65_536;
const memorySection = 5;

/**
 * Checks, caps and compiles the WebAssembly of a module: its memory may grow to `memoryBytesMax`, and beyond that
 * growth fails inside the guest, on every machine at the same size. Its tables are bounded in the same way. Its code counts what it
 * does (`metering.ts`), and computes the same NaN everywhere (`canonical-nan.ts`).
 *
 * @throws {MvmError} `MODULE_INVALID`, `MODULE_UNKNOWN_IMPORT`
 */
export const prepareCore = async (file: ModuleFile, memoryBytesMax: number): Promise<WebAssembly.Module> => {
  const bytes = new Uint8Array(file.code);
  await compile(bytes, 'not a valid WebAssembly module');
  const { memory, tables } = scanCore(bytes, file.kind === 'javascript' ? 'core' : file.kind);
  const pagesMax = memoryBytesMax / pageBytes;
  if (memory.minPages > pagesMax)
    throw mvmError(
      'MODULE_INVALID',
      `a guest may have ${memoryBytesMax} bytes of memory, this module starts with ${memory.minPages * pageBytes}`,
      { limit: memoryBytesMax, received: memory.minPages * pageBytes },
    );
  const bounded = withMemoryMax(bytes, memory, Math.min(memory.maxPages ?? pagesMax, pagesMax));
  // The tables come before the memory in a file: their offsets still hold.
  const capped = tables ? withTableMax(bounded, tables) : bounded;
  const edit = new ModuleEdit(file.kind === 'core' ? exposeState(capped) : capped);
  meter(edit, canonicalizeNaN);
  return compile(edit.encode(), 'V8 refuses the module once it counts its fuel');
};

const compile = async (bytes: Uint8Array, otherwise: string): Promise<WebAssembly.Module> => {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('MODULE_INVALID', `${otherwise}: ${reason}`);
  }
};

/** The same module with a memory section `[1 memory, has a maximum, min, max]`. */
const withMemoryMax = (bytes: Uint8Array, { from, end, minPages }: MemorySection, maxPages: number): Uint8Array => {
  const content = [1, 1, ...leb(minPages), ...leb(maxPages)];
  return Buffer.concat([
    bytes.subarray(0, from),
    Buffer.from([memorySection, content.length, ...content]),
    bytes.subarray(end),
  ]);
};

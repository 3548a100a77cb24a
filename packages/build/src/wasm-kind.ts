/** Tells by its imports and exports which kind of module a WebAssembly binary is. */
import { mvmError, type ModuleKind, type MvmError } from '@mvm-ci/protocol';

/** What a binary says of itself. */
export interface WasmFacts {
  readonly kind: Exclude<ModuleKind, 'javascript'>;
  /** Entry points that the binary names itself; empty for kinds that don't. */
  readonly workflows: readonly string[];
  /** Name and version that the binary names itself. */
  readonly identity?: { readonly name: string; readonly version: string };
}

const wasiImport = 'wasi_snapshot_preview1';
const flawlessRun = '#flawless#workflow#run#';
const flawlessModule = '#flawless#module#';
const flawlessSeparator = '%_#_%';
const componentVersion = 0x0d;

/**
 * The kind of the binary. Whether it keeps its kind's rules is for admission to say.
 *
 * @throws {MvmError} `BUILD_FAILED` when it is of no kind that can be run, with what was looked for
 */
export const wasmFacts = (wasm: Uint8Array): WasmFacts => {
  const module = compile(wasm);
  const exports = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  const flawless = [...exports].filter((name) => name.startsWith(flawlessRun));
  if (flawless.length > 0) return flawlessFacts([...exports], flawless);
  if (exports.has('mvm_step')) return { kind: 'core', workflows: [] };
  if (exports.has('_start')) return { kind: 'wasi', workflows: [] };
  throw noKind(module, exports);
};

const flawlessFacts = (exports: readonly string[], runs: readonly string[]): WasmFacts => {
  const workflows = runs.map((name) => name.slice(flawlessRun.length));
  const marker = exports.find((name) => name.startsWith(flawlessModule))?.slice(flawlessModule.length);
  const [name, version] = marker?.split(flawlessSeparator) ?? [];
  return { kind: 'flawless', workflows, ...(name && version && { identity: { name, version } }) };
};

const compile = (wasm: Uint8Array): WebAssembly.Module => {
  if (wasm[4] === componentVersion && wasm[6] === 1)
    throw mvmError(
      'BUILD_FAILED',
      'this is a WebAssembly component, not a core module: build it for WASI preview 1 (wasm32-wasip1)',
    );
  try {
    return new WebAssembly.Module(wasm);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('BUILD_FAILED', `not a valid WebAssembly module: ${reason}`, undefined, { cause: error });
  }
};

const noKind = (module: WebAssembly.Module, exports: ReadonlySet<string>): MvmError => {
  const imports = new Set(WebAssembly.Module.imports(module).map((one) => one.module));
  const rule =
    'a module exports "mvm_step" (core), "_start" (a WASI program), or workflows of the flawless crate: this one exports';
  const library = exports.has('_initialize') || imports.has(wasiImport);
  return mvmError(
    'BUILD_FAILED',
    `${rule} ${[...exports].slice(0, 10).join(', ') || 'nothing'}${library ? ' (a WASI library: link it as a program)' : ''}`,
    { exports: [...exports].slice(0, 100), imports: [...imports].slice(0, 100) },
  );
};

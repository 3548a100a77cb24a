/**
 * The C interface of the QuickJS build that we run (quickjs-emscripten's `interface.c`, variant
 * `@jitl/quickjs-ng-wasmfile-release-sync`, pinned). Its linker shortened all names; this table gives them back. It holds
 * for this one build only, so {@link assertKnownBuild} compares the binary's own list of imports and exports.
 */
import { mvmError } from '@mvm-ci/protocol';

/** Our name → the name in the binary. All take and return 32-bit numbers, pointers among them. */
const exportNames = {
  /** `__wasm_call_ctors` */
  construct: 'v',
  malloc: 'w',
  free: 'N',
  stackPointer: 'Pa',
  setMemoryLimit: 'z',
  setMaxStackSize: 'E',
  getUndefined: 'F',
  newRuntime: 'L',
  newContext: 'O',
  freeValue: 'Q',
  freeCString: 'T',
  newString: '$',
  getString: 'aa',
  executePendingJobs: 'ha',
  getProp: 'ia',
  call: 'na',
  resolveException: 'oa',
  evaluate: 'qa',
  typeOf: 'sa',
  globalObject: 'va',
  enableInterrupts: 'Ga',
  getFloat64: '_',
} as const;

/** The exports by our names. */
export type QuickJSExports = { readonly [Name in keyof typeof exportNames]: (...args: readonly number[]) => number };

/** The functions that the binary imports, in its order; `a` is its memory. */
const importNames = 'bcdefghijklmnopqrstu';

/**
 * Holds the binary against the table above.
 *
 * @throws {MvmError} `INTERNAL` when it is another build
 */
export const assertKnownBuild = (module: WebAssembly.Module): void => {
  const imports = WebAssembly.Module.imports(module);
  const functions = imports.filter(({ kind }) => kind === 'function').map(({ name }) => name);
  const exported = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  const known = functions.join('') === importNames && Object.values(exportNames).every((name) => exported.has(name));
  if (known && imports.length === importNames.length + 1) return;
  throw mvmError('INTERNAL', 'the QuickJS binary is not the build that this engine was written for');
};

/** The exports of an instance, by our names. */
export const quickjsExports = (instance: WebAssembly.Instance): QuickJSExports => {
  const named = Object.fromEntries(Object.entries(exportNames).map(([ours, its]) => [ours, instance.exports[its]]));
  if (isExports(named)) return named;
  throw mvmError('INTERNAL', 'the QuickJS binary lacks an export');
};

const isExports = (named: object): named is QuickJSExports =>
  Object.values(named).every((value) => typeof value === 'function');

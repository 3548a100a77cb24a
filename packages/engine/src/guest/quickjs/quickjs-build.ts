/**
 * The builds of QuickJS that this engine can run (quickjs-emscripten's `interface.c`, variant
 * `@jitl/quickjs-ng-wasmfile-release-sync`). Their linker shortened all names, differently in each; these tables give them back. A
 * build stays here for ever: a job goes on with the one that it started with.
 */
import { mvmError } from '@mvm-ci/protocol';
import { isOwnName } from '../../module/own-names.ts';

/** The C functions that the engine calls, by our names. All take and return 32-bit numbers, pointers among them. */
export type ExportName =
  /** `__wasm_call_ctors` */
  | 'construct'
  | 'malloc'
  | 'free'
  | 'stackPointer'
  | 'setMaxStackSize'
  | 'getUndefined'
  | 'newRuntime'
  | 'newContext'
  | 'freeValue'
  | 'freeCString'
  | 'newString'
  | 'getString'
  | 'executePendingJobs'
  | 'getProp'
  | 'call'
  | 'resolveException'
  | 'evaluate'
  | 'typeOf'
  | 'globalObject';

/** Those for bytes and for functions of the host: a build that has no table of them gives its scripts neither. */
export type NativeName = 'newFunction' | 'argument' | 'newBuffer' | 'bufferPlace' | 'bufferLength';

/** The host functions that a build calls, by the C functions behind them; `…32` takes a 64-bit number in two halves. */
export type HostName =
  | 'assertFail'
  | 'abort'
  | 'exit'
  | 'hostFunction'
  | 'fdWrite'
  | 'fdClose'
  | 'fdSeek'
  | 'environGet'
  | 'environSizesGet'
  | 'normalizeModule'
  | 'loadModule'
  | 'interrupt'
  | 'setTimer'
  | 'keepAlive'
  | 'freeHostRef'
  | 'growMemory'
  | 'localTime'
  | 'localTime32'
  | 'timeZone'
  | 'dateNow'
  | 'clockTime'
  | 'monotonicNow'
  | 'isMonotonic';

/** The names of one build. */
export interface QuickJSBuild {
  /** The letter of each function that the binary exports. */
  readonly exports: Readonly<Record<ExportName, string>>;
  readonly native?: Readonly<Record<NativeName, string>>;
  /** The letter of each function that it imports; `a` is its memory. */
  readonly imports: Readonly<Partial<Record<HostName, string>>>;
  /**
   * Offset of `host_promise_rejection_tracker` in its `JSRuntime`, in bytes: what `JS_SetHostPromiseRejectionTracker` would set, which the linker left
   * out. It is what `promise_reject` loads before it calls a function of (i32, i64, i64, i32, i32) indirectly.
   */
  readonly rejectionTracker?: number;
  /** How many things it exports. */
  readonly exportCount: number;
}

/** By the runtime's name. */
const builds: Readonly<Record<string, QuickJSBuild>> = {
  'quickjs-ng/0.32.0': {
    exports: {
      construct: 'v',
      malloc: 'w',
      free: 'N',
      stackPointer: 'Pa',
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
    },
    native: { newFunction: 'Ea', argument: 'Fa', newBuffer: 'Y', bufferPlace: 'ba', bufferLength: 'ca' },
    imports: {
      assertFail: 'b',
      fdWrite: 'c',
      fdClose: 'd',
      environGet: 'e',
      environSizesGet: 'f',
      normalizeModule: 'g',
      loadModule: 'h',
      interrupt: 'i',
      setTimer: 'j',
      growMemory: 'k',
      keepAlive: 'l',
      localTime: 'm',
      timeZone: 'n',
      fdSeek: 'o',
      dateNow: 'p',
      clockTime: 'q',
      abort: 'r',
      exit: 's',
      hostFunction: 't',
      freeHostRef: 'u',
    },
    rejectionTracker: 180,
    exportCount: 75,
  },
  'quickjs-ng/0.31.0': {
    exports: {
      construct: 'v',
      malloc: 'w',
      free: 'L',
      stackPointer: 'Oa',
      setMaxStackSize: 'E',
      getUndefined: 'F',
      newRuntime: 'J',
      newContext: 'M',
      freeValue: 'O',
      freeCString: 'R',
      newString: 'Z',
      getString: '_',
      executePendingJobs: 'fa',
      getProp: 'ga',
      call: 'la',
      resolveException: 'ma',
      evaluate: 'oa',
      typeOf: 'qa',
      globalObject: 'ta',
    },
    imports: {
      assertFail: 'b',
      exit: 'c',
      fdWrite: 'd',
      fdClose: 'e',
      environGet: 'f',
      environSizesGet: 'g',
      normalizeModule: 'h',
      loadModule: 'i',
      localTime32: 'j',
      fdSeek: 'k',
      setTimer: 'l',
      growMemory: 'm',
      keepAlive: 'n',
      timeZone: 'o',
      dateNow: 'r',
      isMonotonic: 'q',
      monotonicNow: 'p',
      abort: 's',
      interrupt: 't',
      hostFunction: 'u',
    },
    exportCount: 74,
  },
};

/** The names of the binary's build. @throws {MvmError} `INTERNAL` when it is none that this engine was written for */
export const buildOf = (module: WebAssembly.Module): QuickJSBuild => {
  const known = recognized.get(module) ?? recognize(module);
  recognized.set(module, known);
  return known;
};

const recognized = new WeakMap<WebAssembly.Module, QuickJSBuild>();

const recognize = (module: WebAssembly.Module): QuickJSBuild => {
  const imports = WebAssembly.Module.imports(module);
  const functions = imports.filter(({ kind }) => kind === 'function').map(({ name }) => name);
  const names = WebAssembly.Module.exports(module).map(({ name }) => name);
  const exported = new Set(names.filter((name) => !isOwnName(name)));
  const build = Object.values(builds).find(
    (one) =>
      one.exportCount === exported.size &&
      Object.values(one.exports).every((name) => exported.has(name)) &&
      functions.toSorted().join('') === Object.values(one.imports).toSorted().join('') &&
      imports.length === functions.length + 1,
  );
  if (build) return build;
  throw mvmError('INTERNAL', 'the QuickJS binary is not a build that this engine was written for');
};

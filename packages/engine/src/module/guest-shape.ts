/** What a WebAssembly module of each kind must export and may import: the interface between its guest and the engine. */
import { mvmError, type ModuleKind } from '@mvm-ci/protocol';
import { engineLimits } from '../limits.ts';
import { submitImport } from '../guest/flawless/submit-site.ts';
import { wasiImports } from '../guest/wasi/wasi-imports.ts';

const { shownCharsMax } = engineLimits;

/** Something that a module imports. */
export interface ModuleImport {
  readonly module: string;
  readonly name: string;
  /** As `(i32, i32) → (i64)`; undefined when it is no function. */
  readonly signature: string | undefined;
  /** Where the import stands in the file. */
  readonly offset: number;
}

/** Something that a module exports. */
export interface ModuleExport {
  readonly name: string;
  readonly kind: 'function' | 'memory' | 'other';
  /** Of a function. */
  readonly signature: string | undefined;
}

/** The names of a module. */
export interface ModuleNames {
  readonly imports: readonly ModuleImport[];
  readonly exports: readonly ModuleExport[];
}

/** Kinds whose code is WebAssembly. */
export type WasmKind = Exclude<ModuleKind, 'javascript'>;

/**
 * @throws {MvmError} `MODULE_UNKNOWN_IMPORT` naming the import and its offset; `MODULE_INVALID` naming the export that is
 *   missing or has another type
 */
export const checkShape = (kind: WasmKind, names: ModuleNames): void => {
  switch (kind) {
    case 'core':
      refuseImports(names.imports);
      return checkExports(kind, names, { mvm_alloc: '(i32) → (i32)', mvm_step: '(i32, i32) → (i64)' });
    case 'wasi':
      for (const one of names.imports) checkWasiImport(one);
      return checkExports(kind, names, { _start: '() → ()' });
    case 'flawless':
      checkSubmit(names.imports);
      checkExports(kind, names, { 'wasabi::alloc': '(i32) → (i32)', ...workflowExports(names.exports) });
  }
};

const refuseImports = ([first, ...more]: readonly ModuleImport[]): void => {
  if (!first) return;
  throw mvmError(
    'MODULE_UNKNOWN_IMPORT',
    `a core module has no imports: this one asks for ${shown(first)}${more.length > 0 ? ` and ${more.length} more` : ''} (at offset ${first.offset})`,
    { ...namesIn(first), offset: first.offset, count: more.length + 1 },
  );
};

const namesIn = ({ module, name }: ModuleImport): Pick<ModuleImport, 'module' | 'name'> => ({
  module: shownName(module),
  name: shownName(name),
});

const checkWasiImport = (one: ModuleImport): void => {
  const signature = wasiImports.get(`${one.module}.${one.name}`);
  if (signature === one.signature && signature !== undefined) return;
  const what =
    signature === undefined
      ? 'no function of WASI preview 1 or of mvm'
      : `a function ${signature} there, and ${shownName(one.signature ?? 'no function')} here`;
  throw mvmError(
    'MODULE_UNKNOWN_IMPORT',
    `the module asks for ${shown(one)} (at offset ${one.offset}), which is ${what}`,
    { ...namesIn(one), offset: one.offset },
  );
};

/** The crate's code imports one function; a module that uses none of it may have none. */
const checkSubmit = (imports: readonly ModuleImport[]): void => {
  const refused = imports.find(
    ({ module, name, signature }) =>
      module !== submitImport.module || name !== submitImport.name || signature !== submitImport.signature,
  );
  if (!refused) return;
  const { offset, signature = 'no function' } = refused;
  throw mvmError(
    'MODULE_UNKNOWN_IMPORT',
    `the module asks for ${shown(refused)}, ${shownName(signature)} (at offset ${offset}): a flawless module has one import, ${shown({ ...refused, ...submitImport })}, a function ${submitImport.signature}`,
    { ...namesIn(refused), offset },
  );
};

const workflowPattern = /^#flawless#workflow#(?:init|run)#(?<workflow>.+)$/;

/** Each workflow has two functions. */
const workflowExports = (exports: readonly ModuleExport[]): Readonly<Record<string, string>> => {
  const workflows = new Set(exports.flatMap(({ name }) => workflowPattern.exec(name)?.groups?.['workflow'] ?? []));
  return Object.fromEntries(
    [...workflows].flatMap((workflow) => [
      [`#flawless#workflow#init#${workflow}`, '() → (i32)'],
      [`#flawless#workflow#run#${workflow}`, '() → ()'],
    ]),
  );
};

/** A name as messages show it: it may be as long as the module. */
export const shownName = (name: string): string =>
  name.length <= shownCharsMax ? name : `${name.slice(0, shownCharsMax)}…`;

const shown = ({ module, name }: ModuleImport): string => `"${shownName(module)}.${shownName(name)}"`;

const checkExports = (kind: WasmKind, { exports }: ModuleNames, required: Readonly<Record<string, string>>): void => {
  const byName = new Map(exports.map((one) => [one.name, one]));
  if (byName.get('memory')?.kind !== 'memory') throw missing(kind, 'memory', 'a memory');
  for (const [name, signature] of Object.entries(required)) {
    const found = byName.get(name);
    if (found?.kind !== 'function') throw missing(kind, name, `a function ${signature}`);
    if (found.signature !== signature)
      throw mvmError(
        'MODULE_INVALID',
        `the export "${shownName(name)}" must be a function ${signature}, this one is ${shownName(found.signature ?? 'unknown')}`,
      );
  }
};

const missing = (kind: WasmKind, name: string, what: string): Error =>
  mvmError('MODULE_INVALID', `a ${kind} module must export "${shownName(name)}", ${what}`, {
    export: shownName(name),
  });

/**
 * Reads the sections of a WebAssembly module (core specification, section 5.5) and refuses what a guest may not
 * have: names that are not its kind's, shared or 64-bit memory, threads, whatever differs from machine to machine. V8 accepts all of these, and
 * its own reflection hides limits and sharedness, so this is a scan of our own.
 */
import { mvmError } from '@mvm-ci/protocol';
import { checkShape, shownName, type ModuleExport, type ModuleImport, type WasmKind } from './guest-shape.ts';
import { readValueType, refused, scanInstructions } from './instruction-scan.ts';
import { isOwnName } from './own-names.ts';
import { readTables, type TableSection } from './table-section.ts';
import { WasmReader } from './wasm-reader.ts';
import { sectionIds } from './wasm-sections.ts';

/** What the scan found. */
export interface CoreScan {
  /** Where the memory section's content lies in the file, and its limits in pages of 64 KiB. */
  readonly memory: MemorySection;
  /** Undefined when the module has none. */
  readonly tables: TableSection | undefined;
}

export interface MemorySection {
  /** Offset of the section's id byte. */
  readonly from: number;
  /** Offset behind the section. */
  readonly end: number;
  readonly minPages: number;
  readonly maxPages: number | null;
}

interface Signature {
  readonly parameters: readonly number[];
  readonly results: readonly number[];
}

interface Export {
  readonly name: string;
  readonly kind: number;
  readonly index: number;
}

interface Import {
  readonly module: string;
  readonly name: string;
  /** Of a function; undefined for anything else. */
  readonly type: number | undefined;
  readonly offset: number;
}

interface Sections {
  types: readonly Signature[];
  imports: readonly Import[];
  functions: readonly number[];
  exports: readonly Export[];
  memory: MemorySection | undefined;
  tables: TableSection | undefined;
}

const headerBytes = 8;
const valueNames: Readonly<Record<number, string>> = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64' };
const functionForm = 0x60;
const functionKind = 0;
const exportKinds: Readonly<Record<number, ModuleExport['kind']>> = { 0: 'function', 2: 'memory' };

/**
 * Scans a module that is valid WebAssembly.
 *
 * @throws {MvmError} `MODULE_UNKNOWN_IMPORT` naming the import and its offset; `MODULE_INVALID` with the construct and its offset, or the
 *   export that is missing
 */
export const scanCore = (bytes: Uint8Array, kind: WasmKind = 'core'): CoreScan => {
  const sections: Sections = {
    types: [],
    imports: [],
    functions: [],
    exports: [],
    memory: undefined,
    tables: undefined,
  };
  const reader = new WasmReader(bytes, headerBytes);
  while (!reader.isAtEnd) {
    const from = reader.at;
    const id = reader.byte();
    readSection(sections, { id, from, reader: reader.part(reader.u32()), end: reader.at });
  }
  checkShape(kind, namesOf(sections));
  if (!sections.memory) throw mvmError('MODULE_INVALID', 'a module must have a memory and export it as "memory"');
  return { memory: sections.memory, tables: sections.tables };
};

interface RawSection {
  readonly id: number;
  readonly from: number;
  readonly end: number;
  readonly reader: WasmReader;
}

const readSection = (sections: Sections, raw: RawSection): void => {
  const { reader } = raw;
  switch (raw.id) {
    case sectionIds.type:
      sections.types = reader.list(readType);
      return;
    case sectionIds.import:
      sections.imports = reader.list(readImport);
      return;
    case sectionIds.function:
      sections.functions = reader.list((part) => part.u32());
      return;
    case sectionIds.table:
      sections.tables = readTables(raw);
      return;
    case sectionIds.memory:
      sections.memory = readMemory(raw);
      return;
    case sectionIds.global:
      reader.list(scanGlobal);
      return;
    case sectionIds.export:
      sections.exports = reader.list(readExport);
      return;
    case sectionIds.code:
      reader.list(scanFunction);
      return;
    case sectionIds.tag:
      throw refused('exceptions', raw.from);
    default:
  }
};

const readType = (reader: WasmReader): Signature => {
  const offset = reader.at;
  if (reader.byte() !== functionForm) throw refused('garbage-collected types', offset);
  return { parameters: reader.list(readValueType), results: reader.list(readValueType) };
};

const readImport = (reader: WasmReader): Import => {
  const offset = reader.at;
  const module = reader.name();
  const name = reader.name();
  const kind = reader.byte();
  if (kind === functionKind) return { module, name, type: reader.u32(), offset };
  // A table has its element's type before its limits, a global its mutability behind its type.
  if (kind === 1) readValueType(reader);
  if (kind === 1 || kind === 2) readLimits(reader);
  else reader.pass(2);
  return { module, name, type: undefined, offset };
};

const readLimits = (reader: WasmReader): void => {
  const flags = reader.byte();
  reader.skipLeb();
  if ((flags & 1) !== 0) reader.skipLeb();
};

const readMemory = ({ from, end, reader }: RawSection): MemorySection => {
  const count = reader.u32();
  if (count !== 1) throw refused(`${count} memories`, from);
  const offset = reader.at;
  const flags = reader.byte();
  if ((flags & 2) !== 0) throw refused('a shared memory', offset);
  if ((flags & 4) !== 0) throw refused('a 64-bit memory', offset);
  if (flags > 1) throw refused('a memory with pages of another size', offset);
  const minPages = reader.u32();
  return { from, end, minPages, maxPages: flags === 1 ? reader.u32() : null };
};

const scanGlobal = (reader: WasmReader): void => {
  readValueType(reader);
  reader.pass(1);
  scanInstructions(reader, { toEnd: true });
};

const readExport = (reader: WasmReader): Export => {
  const offset = reader.at;
  const name = reader.name();
  if (isOwnName(name)) throw refused(`an export "${shownName(name)}": such names are the engine's own`, offset);
  return { name, kind: reader.byte(), index: reader.u32() };
};

const scanFunction = (reader: WasmReader): void => {
  const body = reader.part(reader.u32());
  body.list((locals) => {
    locals.u32();
    readValueType(locals);
  });
  scanInstructions(body);
};

const namesOf = ({
  types,
  imports,
  functions,
  exports,
}: Sections): { readonly imports: readonly ModuleImport[]; readonly exports: readonly ModuleExport[] } => {
  const imported = imports.flatMap(({ type }) => (type === undefined ? [] : [type]));
  const all = [...imported, ...functions];
  // Once for each type: a million imports may be of one type with a thousand parameters.
  const described: (string | undefined)[] = [];
  const signature = (type: number | undefined): string | undefined => {
    const found = types[type ?? -1];
    if (!found || type === undefined) return undefined;
    described[type] ??= describe(found);
    return described[type];
  };
  return {
    imports: imports.map(({ module, name, type, offset }) => ({ module, name, signature: signature(type), offset })),
    exports: exports.map(({ name, kind, index }) => ({
      name,
      kind: exportKinds[kind] ?? 'other',
      signature: kind === functionKind ? signature(all[index]) : undefined,
    })),
  };
};

const describe = ({ parameters, results }: Signature): string =>
  `(${parameters.map(valueName).join(', ')}) → (${results.map(valueName).join(', ')})`;

const valueName = (type: number): string => valueNames[type] ?? `0x${type.toString(16)}`;

/**
 * Reads the sections of a `core` module (WebAssembly core specification, section 5.5) and refuses what a guest may not
 * have: imports, shared or 64-bit memory, threads, whatever differs from machine to machine. V8 accepts all of these, and
 * its own reflection hides limits and sharedness, so this is a scan of our own.
 */
import { mvmError } from '@mvm-ci/protocol';
import { refused, scanInstructions } from './instruction-scan.ts';
import { WasmReader } from './wasm-reader.ts';

/** What the scan found. */
export interface CoreScan {
  /** Where the memory section's content lies in the file, and its limits in pages of 64 KiB. */
  readonly memory: MemorySection;
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

interface Sections {
  types: readonly Signature[];
  functions: readonly number[];
  exports: readonly Export[];
  memory: MemorySection | undefined;
}

const headerBytes = 8;
const section = { type: 1, import: 2, function: 3, memory: 5, export: 7, code: 10, tag: 13 } as const;
const valueNames: Readonly<Record<number, string>> = { 0x7f: 'i32', 0x7e: 'i64', 0x7d: 'f32', 0x7c: 'f64' };
const functionForm = 0x60;
const required: Readonly<Record<string, string>> = { mvm_alloc: '(i32) → (i32)', mvm_step: '(i32, i32) → (i64)' };

/**
 * Scans a module that is valid WebAssembly.
 *
 * @throws {MvmError} `MODULE_UNKNOWN_IMPORT` naming the import; `MODULE_INVALID` with the construct and its offset, or the
 *   export that is missing
 */
export const scanCore = (bytes: Uint8Array): CoreScan => {
  const sections: Sections = { types: [], functions: [], exports: [], memory: undefined };
  const reader = new WasmReader(bytes, headerBytes);
  while (!reader.isAtEnd) {
    const from = reader.at;
    const id = reader.byte();
    readSection(sections, { id, from, reader: reader.part(reader.u32()), end: reader.at });
  }
  checkExports(sections);
  if (!sections.memory) throw mvmError('MODULE_INVALID', 'a core module must have a memory and export it as "memory"');
  return { memory: sections.memory };
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
    case section.type:
      sections.types = reader.list(readType);
      return;
    case section.import:
      return refuseImports(reader);
    case section.function:
      sections.functions = reader.list((part) => part.u32());
      return;
    case section.memory:
      sections.memory = readMemory(raw);
      return;
    case section.export:
      sections.exports = reader.list(readExport);
      return;
    case section.code:
      reader.list(scanFunction);
      return;
    case section.tag:
      throw refused('exceptions', raw.from);
    default:
  }
};

const readType = (reader: WasmReader): Signature => {
  const offset = reader.at;
  if (reader.byte() !== functionForm) throw refused('garbage-collected types', offset);
  return { parameters: reader.list(readValueType), results: reader.list(readValueType) };
};

const readValueType = (reader: WasmReader): number => {
  const offset = reader.at;
  const type = reader.byte();
  // 0x63 and 0x64 begin typed references, which V8 ships with garbage collection.
  if (type === 0x63 || type === 0x64) throw refused('typed references', offset);
  return type;
};

const refuseImports = (reader: WasmReader): void => {
  const count = reader.u32();
  if (count === 0) return;
  const from = reader.name();
  const name = reader.name();
  throw mvmError(
    'MODULE_UNKNOWN_IMPORT',
    `a core module has no imports: this one asks for "${from}.${name}"${count > 1 ? ` and ${count - 1} more` : ''}`,
    { module: from, name, count },
  );
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

const readExport = (reader: WasmReader): Export => ({ name: reader.name(), kind: reader.byte(), index: reader.u32() });

const scanFunction = (reader: WasmReader): void => {
  const body = reader.part(reader.u32());
  body.list((locals) => {
    locals.u32();
    readValueType(locals);
  });
  scanInstructions(body);
};

const checkExports = ({ types, functions, exports }: Sections): void => {
  const isMemory = ({ name, kind }: Export): boolean => name === 'memory' && kind === 2;
  if (!exports.some(isMemory)) throw missing('memory', 'a memory');
  for (const [name, signature] of Object.entries(required)) {
    const found = exports.find((candidate) => candidate.name === name && candidate.kind === 0);
    if (!found) throw missing(name, `a function ${signature}`);
    const type = types[functions[found.index] ?? -1];
    const received = type ? describe(type) : 'unknown';
    if (received !== signature)
      throw mvmError('MODULE_INVALID', `the export "${name}" must be a function ${signature}, this one is ${received}`);
  }
};

const missing = (name: string, what: string): Error =>
  mvmError('MODULE_INVALID', `a core module must export "${name}", ${what}`, { export: name });

const describe = ({ parameters, results }: Signature): string =>
  `(${parameters.map(valueName).join(', ')}) → (${results.map(valueName).join(', ')})`;

const valueName = (type: number): string => valueNames[type] ?? `0x${type.toString(16)}`;

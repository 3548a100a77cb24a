/**
 * Makes the whole state of a `core` module's instance reachable, where it can be: then an instance can be put back to its
 * beginning and serve another guest (`core-pool.ts`). State is memory, globals, tables, and which segments were dropped.
 *
 *   1. Every mutable global gets an export of the engine's own name.
 *   2. {@link resettableExport} is exported only when nothing else can change: no instruction of the module writes to a
 *      table or drops a segment, and every mutable global holds a number.
 *   3. No module brings such names along: `core-scan.ts` refuses it.
 */
import { mvmError } from '@mvm-ci/protocol';
import { scanInstructions, type Instruction } from './instruction-scan.ts';
import { globalExportPrefix, resettableExport } from './own-names.ts';
import { externKinds, readSections, sectionBytes, sectionIds, type Section } from './wasm-sections.ts';
import type { WasmReader } from './wasm-reader.ts';
import { leb, nameBytes } from './wasm-writer.ts';

const numberTypes: ReadonlySet<number> = new Set([0x7f, 0x7e, 0x7d, 0x7c]);
const tableSet = 0x26;
const bulkPrefix = 0xfc;
/** data.drop, elem.drop, and what writes to tables: table.init, table.copy, table.grow, table.fill */
const changingBulk: ReadonlySet<number> = new Set([9, 12, 13, 14, 15, 17]);

/**
 * The same module with the exports above.
 *
 * @param bytes - a module that V8 accepts and `scanCore` let through.
 * @throws {MvmError} `MODULE_INVALID` when it has no exports
 */
export const exposeState = (bytes: Uint8Array): Uint8Array => {
  const sections = readSections(bytes);
  const exports = sections.find(({ id }) => id === sectionIds.export);
  if (!exports) throw mvmError('MODULE_INVALID', 'a core module must have exports');
  const reader = exports.reader.rewound();
  const count = reader.u32();
  const names = addedExports(sections);
  const content = [...leb(count + names.length), ...bytes.subarray(reader.at, exports.end), ...names.flat()];
  return Buffer.concat([
    bytes.subarray(0, exports.from),
    sectionBytes(sectionIds.export, Buffer.from(content)),
    bytes.subarray(exports.end),
  ]);
};

const addedExports = (sections: readonly Section[]): readonly (readonly number[])[] => {
  const globals = sections.find(({ id }) => id === sectionIds.global);
  const types = globals ? globals.reader.list(readGlobal) : [];
  const mutable = types.flatMap(({ isMutable }, index) => (isMutable ? [index] : []));
  const code = sections.find(({ id }) => id === sectionIds.code);
  const isComplete = mutable.every((index) => numberTypes.has(types[index]?.type ?? 0)) && !(code && changesMore(code));
  if (!isComplete) return [];
  return [
    exportOf(resettableExport, externKinds.memory, 0),
    ...mutable.map((index) => exportOf(`${globalExportPrefix}${index}`, externKinds.global, index)),
  ];
};

const readGlobal = (reader: WasmReader): { readonly type: number; readonly isMutable: boolean } => {
  const type = reader.byte();
  const isMutable = reader.byte() === 1;
  scanInstructions(reader, { toEnd: true });
  return { type, isMutable };
};

/** By opcode, 1 for what can't be one of those. */
const unchanging = Uint8Array.from({ length: 256 }, (_, opcode) =>
  opcode === tableSet || opcode === bulkPrefix ? 0 : 1,
);

const changesMore = ({ reader }: Section): boolean => {
  let found = false;
  const onInstruction = ({ opcode, operation }: Instruction): void => {
    found ||= opcode === tableSet || (opcode === bulkPrefix && changingBulk.has(operation));
  };
  reader.list((part) => {
    const body = part.part(part.u32());
    body.list((locals) => {
      locals.u32();
      locals.byte();
    });
    scanInstructions(body, { onInstruction, quiet: unchanging });
  });
  return found;
};

const exportOf = (name: string, kind: number, index: number): readonly number[] => [
  ...nameBytes(name),
  kind,
  ...leb(index),
];

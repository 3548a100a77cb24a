/**
 * The tables of a module. A table lives in the host's memory, outside of the guest's own: so it may start with, and grow
 * to, only so many elements, and there are only so many tables. Beyond that `table.grow` returns -1 inside the guest, on every machine at the same size.
 */
import { mvmError } from '@mvm-ci/protocol';
import { engineLimits } from '../limits.ts';
import { refused } from './instruction-scan.ts';
import type { WasmReader } from './wasm-reader.ts';
import type { Section } from './wasm-sections.ts';
import { leb } from './wasm-writer.ts';

interface Table {
  readonly elementType: number;
  readonly min: number;
  readonly max: number | null;
}

/** A module's table section, and where it lies in the file. */
export interface TableSection {
  /** Offset of the section's id byte. */
  readonly from: number;
  /** Offset behind the section. */
  readonly end: number;
  readonly tables: readonly Table[];
}

const tableSection = 4;
const typedReferences = [0x63, 0x64];
const withInitializer = 0x40;

/**
 * Reads the section.
 *
 * @throws {MvmError} `MODULE_INVALID` with the construct and its offset, or with a limit and what the module has
 */
export const readTables = ({ from, end, reader }: Section): TableSection => {
  const tables = reader.list(readTable);
  const limit = engineLimits.tablesMax;
  if (tables.length <= limit) return { from, end, tables };
  throw mvmError(
    'MODULE_INVALID',
    `a module may have ${limit} tables, this one has ${tables.length} (at offset ${from})`,
    { limit, received: tables.length, offset: from },
  );
};

const readTable = (reader: WasmReader): Table => {
  const offset = reader.at;
  const elementType = reader.byte();
  if (elementType === withInitializer || typedReferences.includes(elementType))
    throw refused('typed references', offset);
  const flags = reader.byte();
  if (flags > 1) throw refused('a shared or 64-bit table', offset);
  const min = reader.u32();
  const max = flags === 1 ? reader.u32() : null;
  const limit = engineLimits.tableElementsMax;
  if (min <= limit) return { elementType, min, max };
  throw mvmError(
    'MODULE_INVALID',
    `a table may have ${limit} elements, this one starts with ${min} (at offset ${offset})`,
    { limit, received: min, offset },
  );
};

/** The same module, with a maximum for each of its tables. */
export const withTableMax = (bytes: Uint8Array, { from, end, tables }: TableSection): Uint8Array => {
  const limit = engineLimits.tableElementsMax;
  const content = tables.flatMap(({ elementType, min, max }) => [
    elementType,
    1,
    ...leb(min),
    ...leb(Math.min(max ?? limit, limit)),
  ]);
  const count = leb(tables.length);
  return Buffer.concat([
    bytes.subarray(0, from),
    Buffer.from([tableSection, ...leb(count.length + content.length), ...count, ...content]),
    bytes.subarray(end),
  ]);
};

/**
 * Encodes field sections (RFC 9204 section 4.5) with the static table only: no state, so nothing can block, and no
 * field section depends on another one.
 */
import type { FieldLine } from './field-line.ts';
import { SectionWriter } from './section-writer.ts';
import { staticTable } from './static-table.ts';

const lineKey = (name: string, value: string): string => `${name}\0${value}`;
const lineIndex = new Map(staticTable.map(([name, value], index) => [lineKey(name, value), index]));
/** The first entry of each name. */
const nameIndex = new Map(staticTable.map(([name], index): [string, number] => [name, index]).toReversed());

/** Lines that no intermediary may put into a table of its own (RFC 9204 section 7.1.3). */
const sensitive: ReadonlySet<string> = new Set(['authorization', 'cookie', 'set-cookie']);

/** Encodes lines in their order. Characters must be at most U+00FF. */
export const encodeFieldSection = (lines: readonly FieldLine[]): Uint8Array => {
  const writer = new SectionWriter();
  // Required insert count 0 and base 0: nothing refers to the dynamic table.
  writer.integer(0, 8, 0);
  writer.integer(0, 7, 0);
  for (const line of lines) encodeLine(writer, line);
  return writer.bytes();
};

const encodeLine = (writer: SectionWriter, [name, value]: FieldLine): void => {
  const never = sensitive.has(name) ? 0x20 : 0;
  const named = nameIndex.get(name);
  const indexed = named === undefined || never ? undefined : lineIndex.get(lineKey(name, value));
  if (indexed !== undefined) return writer.integer(indexed, 6, 0xc0);
  if (named === undefined) writer.text(name, 3, 0x20 | (never >> 1));
  else writer.integer(named, 4, 0x50 | never);
  writer.text(value, 7, 0);
};

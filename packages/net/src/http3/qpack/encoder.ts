/**
 * Encodes field sections (RFC 9204 section 4.5) with the static table only: no state, so nothing can block, and no
 * field section depends on another one.
 */
import { joinBytes } from '../../bytes.ts';
import type { FieldLine } from './field-line.ts';
import { huffmanEncode, huffmanSize } from './huffman.ts';
import { prefixedInteger } from './prefixed-integer.ts';
import { staticTable } from './static-table.ts';

const lineKey = (name: string, value: string): string => `${name}\0${value}`;
const lineIndex = new Map(staticTable.map(([name, value], index) => [lineKey(name, value), index]));
/** The first entry of each name. */
const nameIndex = new Map(staticTable.map(([name], index): [string, number] => [name, index]).toReversed());

/** Lines that no intermediary may put into a table of its own (RFC 9204 section 7.1.3). */
const sensitive: ReadonlySet<string> = new Set(['authorization', 'cookie', 'set-cookie']);

/** Required insert count 0 and base 0: nothing refers to the dynamic table. */
const sectionPrefix = Uint8Array.of(0, 0);

/** Encodes lines in their order. Characters must be at most U+00FF. */
export const encodeFieldSection = (lines: readonly FieldLine[]): Uint8Array =>
  joinBytes([sectionPrefix, ...lines.flatMap(encodeLine)]);

const encodeLine = ([name, value]: FieldLine): Uint8Array[] => {
  const never = sensitive.has(name) ? 0x20 : 0;
  const indexed = never ? undefined : lineIndex.get(lineKey(name, value));
  if (indexed !== undefined) return [Uint8Array.from(prefixedInteger(indexed, 6, 0xc0))];
  const named = nameIndex.get(name);
  if (named !== undefined)
    return [Uint8Array.from(prefixedInteger(named, 4, 0x50 | never)), ...encodeText(value, 7, 0)];
  return [...encodeText(name, 3, 0x20 | (never >> 1)), ...encodeText(value, 7, 0)];
};

/** A string literal: the bit above the length says whether it is Huffman-coded, which is used when it is shorter. */
const encodeText = (text: string, prefixBits: number, flags: number): Uint8Array[] => {
  const size = huffmanSize(text);
  const isHuffman = size < text.length;
  const coded = isHuffman ? huffmanEncode(text) : Buffer.from(text, 'latin1');
  const flag = isHuffman ? 2 ** prefixBits : 0;
  return [Uint8Array.from(prefixedInteger(coded.length, prefixBits, flags | flag)), coded];
};

/**
 * Decodes field sections (RFC 9204 section 4.5). We announce a dynamic table of size 0, so any reference to it is an
 * error. Pure; the only thing it throws is Http3Error; what it makes is bounded by `sectionBytesMax` (I8).
 */
import { Http3Error } from '../error.ts';
import { fieldLineSize, type FieldLine } from './field-line.ts';
import { huffmanDecode } from './huffman.ts';
import { SectionReader } from './section-reader.ts';
import { staticTable } from './static-table.ts';

/**
 * The lines of an encoded field section, in order.
 *
 * @param sectionBytesMax limit of the decoded size, counted as RFC 9114 section 4.2.2 does
 * @throws Http3Error QPACK_DECOMPRESSION_FAILED, or H3_EXCESSIVE_LOAD over the limit
 */
export const decodeFieldSection = (bytes: Uint8Array, sectionBytesMax: number): FieldLine[] => {
  const reader = new SectionReader(bytes);
  const insertCount = reader.integer(8);
  reader.integer(7);
  if (insertCount !== 0) throw noDynamicTable();
  const lines: FieldLine[] = [];
  let size = 0;
  while (reader.hasMore) {
    const line = decodeLine(reader);
    size += fieldLineSize(line);
    if (size > sectionBytesMax) {
      throw new Http3Error('H3_EXCESSIVE_LOAD', `the header section is over ${sectionBytesMax} bytes`);
    }
    lines.push(line);
  }
  return lines;
};

const decodeLine = (reader: SectionReader): FieldLine => {
  const first = reader.peek();
  // 1 T index: an indexed line; T says that the table is the static one.
  if (first & 0x80) return staticLine(first & 0x40, reader.integer(6));
  // 01 N T index: a literal value with the name of an indexed line.
  if (first & 0x40) {
    const [name] = staticLine(first & 0x10, reader.integer(4));
    return [name, decodeText(reader, 7)];
  }
  // 001 N H length: name and value are literal. What is left begins 0000 or 0001 and points past the base.
  if (first & 0x20) return [decodeText(reader, 3), decodeText(reader, 7)];
  throw noDynamicTable();
};

const decodeText = (reader: SectionReader, prefixBits: number): string => {
  const isHuffman = (reader.peek() & (1 << prefixBits)) !== 0;
  const bytes = reader.bytes(reader.integer(prefixBits));
  return isHuffman ? huffmanDecode(bytes) : latin1(bytes);
};

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

const staticLine = (isStatic: number, index: number): FieldLine => {
  const line = staticTable[index];
  if (!isStatic) throw noDynamicTable();
  if (!line) throw new Http3Error('QPACK_DECOMPRESSION_FAILED', `the static table has no entry ${index}`);
  return line;
};

const noDynamicTable = (): Http3Error =>
  new Http3Error('QPACK_DECOMPRESSION_FAILED', 'a reference to the dynamic table, which is not used');

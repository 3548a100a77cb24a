/** The sections of a WebAssembly module (core specification, section 5.5). */
import { WasmReader } from './wasm-reader.ts';
import { leb } from './wasm-writer.ts';

/** Ids of the sections that the engine reads or writes. */
export const sectionIds = {
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  tag: 13,
} as const;

/** Kinds of imports and exports. */
export const externKinds = { function: 0, table: 1, memory: 2, global: 3 } as const;

/** One section where it lies in the file. */
export interface Section {
  readonly id: number;
  /** Offset of its id byte. */
  readonly from: number;
  /** Offset behind it. */
  readonly end: number;
  /** Of its content, at its beginning. */
  readonly reader: WasmReader;
}

/** Bytes of the magic number and the version. */
export const headerBytes = 8;

/** All sections, in the order of the file. */
export const readSections = (bytes: Uint8Array): readonly Section[] => {
  const reader = new WasmReader(bytes, headerBytes);
  const sections: Section[] = [];
  while (!reader.isAtEnd) {
    const from = reader.at;
    const id = reader.byte();
    const part = reader.part(reader.u32());
    sections.push({ id, from, end: reader.at, reader: part });
  }
  return sections;
};

/** A section with this content. */
export const sectionBytes = (id: number, content: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from([id, ...leb(content.length)]), content]);

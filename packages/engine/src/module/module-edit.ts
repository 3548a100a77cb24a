/**
 * Changes to a WebAssembly module that V8 accepts: what is added comes last in its index space, so nothing that the module has is
 * renumbered, and positions in its own functions are all that moves.
 *
 *   1. Types, functions, tables, globals and exports are appended; a section that the module lacks is made.
 *   2. Function bodies are rewritten one by one (`function-edit.ts`), in the order of the file.
 *   3. Custom sections (names among them) stay as they are, but for hints at branches: their offsets would be wrong.
 */
import { branchHints, isBranchHints } from './branch-hints.ts';
import { FunctionEdit } from './function-edit.ts';
import { externKinds, headerBytes, readSections, sectionBytes, sectionIds, type Section } from './wasm-sections.ts';
import { WasmReader } from './wasm-reader.ts';
import { leb, nameBytes } from './wasm-writer.ts';

/** What may stand in a module, in this order; custom sections stand anywhere. */
const order: readonly number[] = [
  sectionIds.type,
  sectionIds.import,
  sectionIds.function,
  sectionIds.table,
  sectionIds.memory,
  sectionIds.tag,
  sectionIds.global,
  sectionIds.export,
  sectionIds.start,
  sectionIds.element,
  sectionIds.dataCount,
  sectionIds.code,
  sectionIds.data,
];

/** What was added to one index space. */
interface Added {
  /** Elements of it that the module has: imported ones first. */
  readonly first: number;
  readonly items: (readonly number[])[];
}

/** A function that the module defines. */
interface Definition {
  /** Its number among all functions. */
  readonly index: number;
  /** How many parameters it has: its first locals. */
  readonly parameters: number;
}

export class ModuleEdit {
  readonly #bytes: Uint8Array;
  readonly #sections: readonly Section[];
  readonly #added: ReadonlyMap<number, Added>;
  readonly #replaced = new Map<number, Uint8Array | undefined>();
  readonly #functions: readonly Definition[];
  /** The section that says which branches of the changed functions are unlikely. */
  #hints: Uint8Array = new Uint8Array();
  /** Functions that the module imports: the first ones of all. */
  readonly importedFunctions: number;

  /** @param bytes - a module that V8 accepts and `scanCore` let through. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#sections = readSections(bytes);
    const imports = this.#read(sectionIds.import, readImportKind);
    const imported = (kind: number): number => imports.filter((one) => one === kind).length;
    const space = (id: number, before = 0): [number, Added] => [id, { first: before + this.#count(id), items: [] }];
    this.#added = new Map([
      space(sectionIds.type),
      space(sectionIds.function, imported(externKinds.function)),
      space(sectionIds.table, imported(externKinds.table)),
      space(sectionIds.global, imported(externKinds.global)),
      space(sectionIds.export),
      space(sectionIds.code),
    ]);
    this.importedFunctions = imported(externKinds.function);
    const types = this.#read(sectionIds.type, readParameters);
    this.#functions = this.#read(sectionIds.function, (reader) => reader.u32()).map((type, place) => ({
      index: this.importedFunctions + place,
      parameters: types[type] ?? 0,
    }));
  }

  /** @param type - as in the file, such as `[0x60, 0, 0]`. @returns its index */
  addType(type: readonly number[]): number {
    return this.#add(sectionIds.type, type);
  }

  /** @param table - as in the file: element type and limits. @returns its index */
  addTable(table: readonly number[]): number {
    return this.#add(sectionIds.table, table);
  }

  /** @param global - as in the file: type, mutability and initial value. @returns its index */
  addGlobal(global: readonly number[]): number {
    return this.#add(sectionIds.global, global);
  }

  /** Appends a function. @param body - its locals and instructions as in the file. @returns its index */
  addFunction(type: number, body: readonly number[]): number {
    this.#add(sectionIds.code, [...leb(body.length), ...body]);
    return this.#add(sectionIds.function, leb(type));
  }

  addExport(name: string, kind: number, index: number): void {
    this.#add(sectionIds.export, [...nameBytes(name), kind, ...leb(index)]);
  }

  /** Takes the start function out of the module: nothing runs any more when it is instantiated. @returns its index */
  removeStart(): number | undefined {
    const start = this.#sections.find(({ id }) => id === sectionIds.start);
    if (!start) return undefined;
    this.#replaced.set(sectionIds.start, undefined);
    return start.reader.rewound().u32();
  }

  /** Hands each function that the module defines to `visit`, in order. */
  eachFunction(visit: (edit: FunctionEdit) => void): void {
    this.#bodies((edit) => visit(edit));
  }

  /** Lets `rewrite` change each function that the module defines, in order. At most once. */
  rewriteFunctions(rewrite: (edit: FunctionEdit) => void): void {
    const bodies = this.#bodies((edit) => {
      rewrite(edit);
      return { index: edit.index, ...edit.encode() };
    });
    if (bodies.length === 0) return;
    const added = this.#added.get(sectionIds.code)?.items ?? [];
    const parts = bodies.flatMap(({ bytes }) => [Buffer.from(leb(bytes.length)), bytes]);
    const count = Buffer.from(leb(bodies.length + added.length));
    this.#replaced.set(sectionIds.code, Buffer.concat([count, ...parts, Buffer.from(added.flat())]));
    this.#hints = branchHints(bodies);
  }

  /** The module with all changes. */
  encode(): Uint8Array {
    const made = order.filter((id) => this.#isMade(id)).map((id) => ({ id, bytes: this.#made(id) }));
    const parts: Uint8Array[] = [this.#bytes.subarray(0, headerBytes)];
    for (const section of this.#sections.filter((one) => !isBranchHints(one))) {
      if (section.id === sectionIds.code) parts.push(...made.splice(0).map(({ bytes }) => bytes), this.#hints);
      const place = order.indexOf(section.id);
      const before = made.filter(({ id }) => order.indexOf(id) < place);
      parts.push(...made.splice(0, before.length).map(({ bytes }) => bytes), this.#changed(section));
    }
    return Buffer.concat([...parts, ...made.map(({ bytes }) => bytes)]);
  }

  /** Whether the module lacks this section, and something was added to it. */
  #isMade(id: number): boolean {
    return (this.#added.get(id)?.items.length ?? 0) > 0 && this.#sections.every((section) => section.id !== id);
  }

  #bodies<T>(each: (edit: FunctionEdit) => T): readonly T[] {
    let place = 0;
    return this.#read(sectionIds.code, (reader) => {
      const { index, parameters } = this.#functions[place++] ?? { index: 0, parameters: 0 };
      const size = reader.u32();
      const from = reader.at;
      reader.pass(size);
      return each(new FunctionEdit({ index, parameters, bytes: this.#bytes, from, end: from + size }));
    });
  }

  #add(id: number, item: readonly number[]): number {
    const added = this.#added.get(id);
    if (!added) return 0;
    added.items.push(item);
    return added.first + added.items.length - 1;
  }

  #changed({ id, from, end }: Section): Uint8Array {
    if (this.#replaced.has(id)) {
      const content = this.#replaced.get(id);
      return content ? sectionBytes(id, content) : new Uint8Array();
    }
    const items = this.#added.get(id)?.items ?? [];
    if (items.length === 0) return this.#bytes.subarray(from, end);
    const reader = this.#reader(id);
    const count = reader.u32();
    const content = [
      Buffer.from(leb(count + items.length)),
      this.#bytes.subarray(reader.at, end),
      Buffer.from(items.flat()),
    ];
    return sectionBytes(id, Buffer.concat(content));
  }

  #made(id: number): Uint8Array {
    const items = this.#added.get(id)?.items ?? [];
    return sectionBytes(id, Buffer.from([...leb(items.length), ...items.flat()]));
  }

  #count(id: number): number {
    const reader = this.#reader(id);
    return reader.isAtEnd ? 0 : reader.u32();
  }

  #read<T>(id: number, read: (reader: WasmReader) => T): readonly T[] {
    const reader = this.#reader(id);
    return reader.isAtEnd ? [] : reader.list(read);
  }

  #reader(id: number): WasmReader {
    return this.#sections.find((section) => section.id === id)?.reader.rewound() ?? nothing.rewound();
  }
}

const nothing = new WasmReader(new Uint8Array());

const readParameters = (reader: WasmReader): number => {
  reader.byte();
  const parameters = reader.list((part) => part.byte()).length;
  reader.list((part) => part.byte());
  return parameters;
};

const readImportKind = (reader: WasmReader): number => {
  reader.name();
  reader.name();
  const kind = reader.byte();
  if (kind === externKinds.function) reader.skipLeb();
  else if (kind === externKinds.global) reader.pass(2);
  else {
    // A table has its element's type before its limits.
    if (kind === externKinds.table) reader.pass(1);
    const hasMax = (reader.byte() & 1) !== 0;
    reader.skipLeb();
    if (hasMax) reader.skipLeb();
  }
  return kind;
};

/** Changes to one function body: locals that are appended, and instructions that are put between those that it has. */
import { scanInstructions, type InstructionVisitor } from './instruction-scan.ts';
import { WasmReader } from './wasm-reader.ts';
import { leb } from './wasm-writer.ts';

/** A function where it lies in the file. */
export interface FunctionPlace {
  /** Its number among all functions. */
  readonly index: number;
  readonly parameters: number;
  /** Of the whole file. */
  readonly bytes: Uint8Array;
  /** Where its body begins: at its locals. */
  readonly from: number;
  readonly end: number;
}

interface Insertion {
  readonly at: number;
  readonly code: readonly number[];
  /** Offset in `code` of an `if` whose condition hardly ever holds. */
  readonly unlikelyAt: number | undefined;
}

/** A body with all changes. */
export interface EditedBody {
  readonly bytes: Uint8Array;
  /** Offsets in it of the `if` instructions whose condition hardly ever holds. */
  readonly unlikely: readonly number[];
}

export class FunctionEdit {
  readonly #place: FunctionPlace;
  /** Groups of locals of one type, as they stand in the file. */
  readonly #localGroups: number;
  readonly #groupsFrom: number;
  /** Where its instructions begin. */
  readonly codeFrom: number;
  readonly #locals: number;
  readonly #added: number[] = [];
  readonly #insertions: Insertion[] = [];

  constructor(place: FunctionPlace) {
    this.#place = place;
    const reader = new WasmReader(place.bytes, place.from, place.end);
    this.#localGroups = reader.u32();
    this.#groupsFrom = reader.at;
    let locals = place.parameters;
    for (let group = 0; group < this.#localGroups; group += 1) {
      locals += reader.u32();
      reader.byte();
    }
    this.#locals = locals;
    this.codeFrom = reader.at;
  }

  /** Its number among all functions. */
  get index(): number {
    return this.#place.index;
  }

  /** Bytes of its instructions. */
  get codeBytes(): number {
    return this.#place.end - this.codeFrom;
  }

  /** Walks its instructions, as they were before any change. @param quiet - see `InstructionScan` */
  scan(visit: InstructionVisitor, quiet?: Uint8Array): void {
    const { bytes, end } = this.#place;
    const reader = new WasmReader(bytes, this.codeFrom, end);
    scanInstructions(reader, { onInstruction: visit, ...(quiet && { quiet }) });
  }

  /** A reader of the immediates behind an opcode at offset `from`. */
  immediatesAt(from: number): WasmReader {
    return new WasmReader(this.#place.bytes, from + 1, this.#place.end);
  }

  /** Appends a local of this value type. @returns its index */
  addLocal(type: number): number {
    this.#added.push(type);
    return this.#locals + this.#added.length - 1;
  }

  /**
   * Puts `code` before the instruction at offset `at` of the file; of two at the same place the first comes first.
   *
   * @param unlikelyAt - offset in `code` of an `if` whose condition hardly ever holds: V8 keeps its branch out of the way.
   */
  insert(at: number, code: readonly number[], unlikelyAt?: number): void {
    this.#insertions.push({ at, code, unlikelyAt });
  }

  encode(): EditedBody {
    const { bytes, end } = this.#place;
    const groups = leb(this.#localGroups + this.#added.length);
    const parts = [Buffer.from(groups), bytes.subarray(this.#groupsFrom, this.codeFrom)];
    parts.push(Buffer.from(this.#added.flatMap((type) => [1, type])));
    let length = parts.reduce((sum, part) => sum + part.length, 0);
    const unlikely: number[] = [];
    let from = this.codeFrom;
    for (const { at, code, unlikelyAt } of this.#insertions.toSorted((a, b) => a.at - b.at)) {
      parts.push(bytes.subarray(from, at), Buffer.from(code));
      length += at - from;
      if (unlikelyAt !== undefined) unlikely.push(length + unlikelyAt);
      length += code.length;
      from = at;
    }
    return { bytes: Buffer.concat([...parts, bytes.subarray(from, end)]), unlikely };
  }
}

/**
 * Walks the instructions of a function body and refuses those that a guest may not have. It runs after V8 has validated
 * the module, so it need not understand types, only know how long each instruction is.
 */
import { mvmError, type MvmError } from '@mvm-ci/protocol';
import { cutAt, type WasmReader } from './wasm-reader.ts';

/** How an instruction's immediates are passed over. */
type Skip = (reader: WasmReader) => void;

const none: Skip = () => undefined;
const index: Skip = (reader) => reader.skipLeb();
const twoIndexes: Skip = (reader) => {
  reader.skipLeb();
  reader.skipLeb();
};
// The types of a reference to something in particular take more bytes, and V8 ships them with garbage collection.
const typedReferences = [0x63, 0x64];
/** A value type. @throws {MvmError} `MODULE_INVALID` for a typed reference */
export const readValueType = (reader: WasmReader): number => {
  const offset = reader.at;
  const type = reader.byte();
  if (typedReferences.includes(type)) throw refused('typed references', offset);
  return type;
};
/** Nothing, a value type, or the number of a function type. */
const blockType: Skip = (reader) => {
  if (readValueType(reader) >= 0x80) reader.skipLeb();
};
const lane: Skip = (reader) => reader.pass(1);
const memoryArgument: Skip = (reader) => {
  const alignment = reader.u32();
  if ((alignment & 0x40) !== 0) reader.skipLeb();
  reader.skipLeb();
};
const memoryArgumentAndLane: Skip = (reader) => {
  memoryArgument(reader);
  lane(reader);
};
const branchTable: Skip = (reader) => {
  reader.list(index);
  reader.skipLeb();
};

/** Opcode ranges, first and last, with their immediates: WebAssembly 2.0 and tail calls. */
const plain: readonly (readonly [first: number, last: number, skip: Skip])[] = [
  [0x00, 0x01, none],
  [0x02, 0x04, blockType],
  [0x05, 0x05, none],
  [0x0b, 0x0b, none],
  [0x0c, 0x0d, index],
  [0x0e, 0x0e, branchTable],
  [0x0f, 0x0f, none],
  [0x10, 0x10, index],
  [0x11, 0x11, twoIndexes],
  [0x12, 0x12, index],
  [0x13, 0x13, twoIndexes],
  [0x1a, 0x1b, none],
  [0x1c, 0x1c, (reader) => reader.list(readValueType)],
  [0x20, 0x26, index],
  [0x28, 0x3e, memoryArgument],
  [0x3f, 0x42, index],
  [0x43, 0x43, (reader) => reader.pass(4)],
  [0x44, 0x44, (reader) => reader.pass(8)],
  [0x45, 0xc4, none],
  [0xd0, 0xd0, index],
  [0xd1, 0xd1, none],
  [0xd2, 0xd2, index],
];
const bulk: typeof plain = [
  [0, 7, none],
  [8, 8, twoIndexes],
  [9, 9, index],
  [10, 10, twoIndexes],
  [11, 11, index],
  [12, 12, twoIndexes],
  [13, 13, index],
  [14, 14, twoIndexes],
  [15, 17, index],
];
const vector: typeof plain = [
  [0, 11, memoryArgument],
  [12, 13, (reader) => reader.pass(16)],
  [14, 20, none],
  [21, 34, lane],
  [35, 83, none],
  [84, 91, memoryArgumentAndLane],
  [92, 93, memoryArgument],
  [94, 255, none],
];

/** The same by number: looking through the ranges for each instruction takes most of a scan. */
const listed = (table: typeof plain): readonly (Skip | undefined)[] =>
  Array.from({ length: 256 }, (_, number) => table.find(([first, last]) => number >= first && number <= last)?.[2]);
const byOpcode = listed(plain);
const byOperation = { bulk: listed(bulk), vector: listed(vector) };

/** How the immediates of nearly all instructions are passed over, by opcode: so many LEB128 numbers, or none of these. */
const otherwise = 255;
const lebsOf = Uint8Array.from(byOpcode, (skip) => {
  const at = [none, index, twoIndexes].indexOf(skip ?? branchTable);
  return at < 0 ? otherwise : at;
});

/** An instruction where it stands. */
export interface Instruction {
  readonly opcode: number;
  /** Behind the prefixes 0xfc and 0xfd its number there, else 0. */
  readonly operation: number;
  /** Offset of its opcode. */
  readonly from: number;
  /** Offset behind its immediates. */
  readonly end: number;
  /** How many quiet instructions are between the one that was told before and this one. */
  readonly passed: number;
}

/** Is told each instruction, in order. The object is the same for all: it holds until the visitor returns. */
export type InstructionVisitor = (instruction: Instruction) => void;

/** How {@link scanInstructions} goes. */
export interface InstructionScan {
  readonly onInstruction?: InstructionVisitor;
  /** By opcode, 1 for instructions that are counted but not told. @default all are told */
  readonly quiet?: Uint8Array;
  /** Whether it stops behind the first `end`, as a constant expression does. @default at the end of the reader */
  readonly toEnd?: boolean;
}

const end = 0x0b;

/**
 * Passes over the instructions in `reader`.
 *
 * @throws {MvmError} `MODULE_INVALID` with the construct and its offset
 */
export const scanInstructions = (
  reader: WasmReader,
  { onInstruction, quiet = noneIsQuiet, toEnd = false }: InstructionScan = {},
): void => {
  const { bytes, end: limit } = reader;
  const instruction = { opcode: 0, operation: 0, from: reader.at, end: reader.at, passed: 0 };
  let at = reader.at;
  while (at < limit) {
    const from = at;
    const opcode = bytes[from] ?? 0;
    const lebs = lebsOf[opcode] ?? otherwise;
    if (lebs !== otherwise && quiet[opcode] === 1) {
      at = behindLebs(bytes, from + 1, lebs);
      instruction.passed += 1;
      continue;
    }
    instruction.opcode = opcode;
    instruction.operation = 0;
    instruction.from = from;
    if (lebs === otherwise) passOther(reader, instruction);
    else instruction.end = behindLebs(bytes, from + 1, lebs);
    at = instruction.end;
    if (quiet[opcode] === 1) instruction.passed += 1;
    else {
      onInstruction?.(instruction);
      instruction.passed = 0;
    }
    if (toEnd && opcode === end) break;
  }
  if (at > limit) throw cutAt(limit);
  reader.pass(at - reader.at);
};

const noneIsQuiet = new Uint8Array(256);

/** The offset behind `count` LEB128 numbers. */
const behindLebs = (bytes: Uint8Array, from: number, count: number): number => {
  let at = from;
  for (let left = count; left > 0; left -= 1) {
    while ((bytes[at] ?? 0) >= 0x80) at += 1;
    at += 1;
  }
  return at;
};

/** Passes over any instruction. */
const passOther = (
  reader: WasmReader,
  instruction: { -readonly [Field in keyof Instruction]: Instruction[Field] },
): void => {
  reader.pass(instruction.from + 1 - reader.at);
  if (instruction.opcode === 0xfc || instruction.opcode === 0xfd) instruction.operation = reader.u32();
  skipOf(instruction.opcode, instruction.operation, instruction.from)(reader);
  instruction.end = reader.at;
};

const skipOf = (opcode: number, operation: number, offset: number): Skip => {
  switch (opcode) {
    case 0xfb:
      throw refused('garbage-collected objects', offset);
    case 0xfc:
      return byOperation.bulk[operation] ?? unknown(opcode, offset);
    case 0xfd: {
      if (operation >= 0x100) throw refused('relaxed SIMD', offset);
      return byOperation.vector[operation] ?? unknown(opcode, offset);
    }
    case 0xfe:
      throw refused('an atomic instruction', offset);
    default:
      return byOpcode[opcode] ?? unknown(opcode, offset);
  }
};

/** What V8 accepts beyond that, by opcode. */
const constructs: readonly (readonly [construct: string, opcodes: readonly number[]])[] = [
  // try, catch, throw, rethrow, throw_ref, delegate, catch_all, try_table
  ['exceptions', [0x06, 0x07, 0x08, 0x09, 0x0a, 0x18, 0x19, 0x1f]],
  // call_ref, return_call_ref, ref.as_non_null, br_on_null, br_on_non_null
  ['typed references', [0x14, 0x15, 0xd4, 0xd5, 0xd6]],
  // ref.eq
  ['garbage-collected objects', [0xd3]],
];

const unknown = (opcode: number, offset: number): never => {
  const [construct] = constructs.find(([, opcodes]) => opcodes.includes(opcode)) ?? [
    `the instruction 0x${opcode.toString(16)}`,
  ];
  throw refused(construct, offset);
};

/** The error for a construct that no guest may have. */
export const refused = (construct: string, offset: number): MvmError =>
  mvmError('MODULE_INVALID', `a module may not have ${construct} (at offset ${offset})`, { construct, offset });

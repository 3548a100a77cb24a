/** The instructions of WebAssembly as they concern floating-point numbers, by their opcodes (core specification, section 5.4). */
import type { Instruction } from './instruction-scan.ts';

/** What a float is: a number, or the lanes of a vector. */
export type FloatShape = 'f32' | 'f64' | 'f32x4' | 'f64x2';

/** How many values an instruction takes from the operand stack, and how many it leaves. */
export interface Operands {
  readonly pops: number;
  readonly pushes: number;
}

/** An instruction that computes with floats. */
export interface FloatInstruction {
  readonly operands: Operands;
  /** It sees no difference between one NaN and another in operands of this shape. */
  readonly reads: FloatShape;
  /** Its result may be a NaN of the processor's choice. */
  readonly makes: FloatShape | undefined;
}

const unary: Operands = { pops: 1, pushes: 1 };
const binary: Operands = { pops: 2, pushes: 1 };

type Range<T> = readonly [first: number, last: number, value: T];

const computing = (operands: Operands, reads: FloatShape, makes: FloatShape | undefined = reads): FloatInstruction => ({
  operands,
  reads,
  makes,
});
const looking = (operands: Operands, reads: FloatShape): FloatInstruction => ({ operands, reads, makes: undefined });

const scalar: readonly Range<FloatInstruction>[] = [
  [0x5b, 0x60, looking(binary, 'f32')],
  [0x61, 0x66, looking(binary, 'f64')],
  // ceil, floor, trunc, nearest, sqrt; add, sub, mul, div, min, max
  [0x8d, 0x91, computing(unary, 'f32')],
  [0x92, 0x97, computing(binary, 'f32')],
  [0x9b, 0x9f, computing(unary, 'f64')],
  [0xa0, 0xa5, computing(binary, 'f64')],
  // i32.trunc, i64.trunc
  [0xa8, 0xa9, looking(unary, 'f32')],
  [0xaa, 0xab, looking(unary, 'f64')],
  [0xae, 0xaf, looking(unary, 'f32')],
  [0xb0, 0xb1, looking(unary, 'f64')],
  [0xb6, 0xb6, computing(unary, 'f64', 'f32')],
  [0xbb, 0xbb, computing(unary, 'f32', 'f64')],
];

const saturating: readonly Range<FloatInstruction>[] = [
  [0, 1, looking(unary, 'f32')],
  [2, 3, looking(unary, 'f64')],
  [4, 5, looking(unary, 'f32')],
  [6, 7, looking(unary, 'f64')],
];

const vector: readonly Range<FloatInstruction>[] = [
  [65, 70, looking(binary, 'f32x4')],
  [71, 76, looking(binary, 'f64x2')],
  [94, 94, computing(unary, 'f64x2', 'f32x4')],
  [95, 95, computing(unary, 'f32x4', 'f64x2')],
  [103, 106, computing(unary, 'f32x4')],
  [116, 117, computing(unary, 'f64x2')],
  [122, 122, computing(unary, 'f64x2')],
  [148, 148, computing(unary, 'f64x2')],
  [227, 227, computing(unary, 'f32x4')],
  [228, 233, computing(binary, 'f32x4')],
  [239, 239, computing(unary, 'f64x2')],
  [240, 245, computing(binary, 'f64x2')],
];

/** The ranges by number: looking through them for each instruction takes longer than all else. */
const listed = <T>(ranges: readonly Range<T>[]): readonly (T | undefined)[] =>
  Array.from({ length: 256 }, (_, number) => ranges.find(([first, last]) => number >= first && number <= last)?.[2]);
const byNumber = { scalar: listed(scalar), saturating: listed(saturating), vector: listed(vector) };

/** Undefined: an instruction that doesn't compute with floats, though it may move them. */
export const floatOf = ({ opcode, operation }: Instruction): FloatInstruction | undefined => {
  if (opcode === 0xfd) return byNumber.vector[operation];
  return opcode === 0xfc ? byNumber.saturating[operation] : byNumber.scalar[opcode];
};

const moves: readonly Range<Operands>[] = [
  // drop
  [0x1a, 0x1a, { pops: 1, pushes: 0 }],
  // local.get, local.set, local.tee, global.get, global.set
  [0x20, 0x20, { pops: 0, pushes: 1 }],
  [0x21, 0x21, { pops: 1, pushes: 0 }],
  [0x22, 0x22, unary],
  [0x23, 0x23, { pops: 0, pushes: 1 }],
  [0x24, 0x24, { pops: 1, pushes: 0 }],
  // loads, stores, constants
  [0x28, 0x35, unary],
  [0x36, 0x3e, { pops: 2, pushes: 0 }],
  [0x41, 0x44, { pops: 0, pushes: 1 }],
  // comparisons and arithmetic of integers
  [0x45, 0x45, unary],
  [0x46, 0x4f, binary],
  [0x50, 0x50, unary],
  [0x51, 0x5a, binary],
  [0x67, 0x69, unary],
  [0x6a, 0x78, binary],
  [0x79, 0x7b, unary],
  [0x7c, 0x8a, binary],
  // abs, neg; copysign
  [0x8b, 0x8c, unary],
  [0x98, 0x98, binary],
  [0x99, 0x9a, unary],
  [0xa6, 0xa6, binary],
  // conversions
  [0xa7, 0xc4, unary],
];

const movesByNumber = listed(moves);

/** Of an instruction that goes on to the next one; undefined for those that branch, call, or are rare. */
export const operandsOf = ({ opcode }: Instruction): Operands | undefined => movesByNumber[opcode];

/** By opcode, 1 for those that make no float, whatever comes behind them. */
export const opcodesWithoutFloats: Uint8Array = Uint8Array.from({ length: 256 }, (_, opcode) =>
  opcode === 0xfc || opcode === 0xfd || byNumber.scalar[opcode]?.makes ? 0 : 1,
);

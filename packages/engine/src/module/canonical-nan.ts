/**
 * Makes every NaN that a module's code computes the same one on every machine: the positive canonical NaN, as in the deterministic profile
 * of WebAssembly (core specification 3.0, appendix A.2). Sign and payload of a NaN are otherwise the processor's choice.
 *
 *   1. Where an instruction may make a NaN of its own choice, one follows that replaces a NaN. What only moves bits (loads, stores,
 *      `neg`, `abs`, `copysign`, `reinterpret`) is left alone: a NaN that the guest itself put together stays as it is.
 *   2. It is left out where the result goes straight into an instruction that doesn't tell one NaN from another.
 */
import type { FunctionEdit } from './function-edit.ts';
import type { Instruction } from './instruction-scan.ts';
import { floatOf, opcodesWithoutFloats, operandsOf, type FloatShape } from './float-instructions.ts';
import { leb } from './wasm-writer.ts';

/** A result that may be any NaN, and where the instruction behind it begins. */
interface Pending {
  readonly shape: FloatShape;
  readonly at: number;
}

/** What turns the value on the stack into one without a NaN of the processor's choice. */
interface Replacement {
  readonly valueType: number;
  readonly nan: readonly number[];
  /** Compares, and chooses the value itself where it is equal to itself. */
  readonly choose: readonly number[];
}

const v128 = (lane: readonly number[]): readonly number[] => [
  0xfd,
  12,
  ...Array.from({ length: 16 / lane.length }, () => lane).flat(),
];
const nan32 = [0, 0, 0xc0, 0x7f];
const nan64 = [0, 0, 0, 0, 0, 0, 0xf8, 0x7f];
const select = 0x1b;
const bitselect = [0xfd, 82];
const replacements: Readonly<Record<FloatShape, Replacement>> = {
  f32: { valueType: 0x7d, nan: [0x43, ...nan32], choose: [0x5b, select] },
  f64: { valueType: 0x7c, nan: [0x44, ...nan64], choose: [0x61, select] },
  f32x4: { valueType: 0x7b, nan: v128(nan32), choose: [0xfd, 65, ...bitselect] },
  f64x2: { valueType: 0x7b, nan: v128(nan64), choose: [0xfd, 71, ...bitselect] },
};
const codes = { localGet: 0x20, localTee: 0x22 } as const;

/** Rewrites one function. */
export const canonicalizeNaN = (body: FunctionEdit): void => {
  let makesFloats = false;
  body.scan((instruction) => {
    makesFloats ||= floatOf(instruction)?.makes !== undefined;
  }, opcodesWithoutFloats);
  if (!makesFloats) return;
  const walk = new FloatWalk(body);
  body.scan((instruction) => walk.take(instruction));
  walk.flush();
};

class FloatWalk {
  readonly #body: FunctionEdit;
  readonly #locals = new Map<number, readonly number[]>();
  /** What lies on the operand stack since the last branch, as far as it is known: the top comes last. */
  #stack: (Pending | undefined)[] = [];

  constructor(body: FunctionEdit) {
    this.#body = body;
  }

  take(instruction: Instruction): void {
    const float = floatOf(instruction);
    const operands = float?.operands ?? operandsOf(instruction);
    if (!operands) return this.flush();
    for (let popped = 0; popped < operands.pops; popped += 1) {
      const operand = this.#stack.pop();
      if (operand && operand.shape !== float?.reads) this.#replace(operand);
    }
    for (let pushed = 0; pushed < operands.pushes; pushed += 1)
      this.#stack.push(float?.makes && { shape: float.makes, at: instruction.end });
  }

  /** Control goes elsewhere: whoever comes next may look. */
  flush(): void {
    for (const pending of this.#stack) if (pending) this.#replace(pending);
    this.#stack = [];
  }

  #replace({ shape, at }: Pending): void {
    const { valueType, nan, choose } = replacements[shape];
    const local = this.#locals.get(valueType) ?? leb(this.#body.addLocal(valueType));
    this.#locals.set(valueType, local);
    const get = [codes.localGet, ...local];
    this.#body.insert(at, [codes.localTee, ...local, ...nan, ...get, ...get, ...choose]);
  }
}

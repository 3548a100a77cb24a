/**
 * The charges of one function, as instructions. A function with a loop that calls nothing holds the counter in a local, since a loop
 * that writes and reads it in memory at each turn waits for that: it takes the counter from the global at its entry and after each call, and
 * puts it there before each call and wherever it may be left.
 */
import type { FunctionEdit } from './function-edit.ts';
import type { Instruction } from './instruction-scan.ts';
import type { Region } from './region-costs.ts';
import { leb, signedLeb } from './wasm-writer.ts';

/** What all functions share; the indexes are encoded. */
export interface Counter {
  readonly global: readonly number[];
  /** The function to call when it is below 0. */
  readonly tick: readonly number[];
}

/** Opcodes that are read or written. */
export const codes = {
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  i32Const: 0x41,
  i32LtS: 0x48,
  i32Sub: 0x6b,
  i32ShrU: 0x76,
} as const;

const i32 = 0x7f;
const empty = 0x40;

export class Charges {
  readonly #body: FunctionEdit;
  readonly #counter: Counter;
  readonly #lengths: { readonly at: number; readonly shift: number }[] = [];
  readonly #calls: { readonly from: number; readonly end: number }[] = [];
  /** Where the function may be left otherwise than by a trap. */
  readonly #exits: number[] = [];
  #openBlocks = 0;
  #left: readonly number[] = [];
  #length: readonly number[] = [];

  constructor(body: FunctionEdit, counter: Counter) {
    this.#body = body;
    this.#counter = counter;
  }

  /** An instruction whose last operand is a length. */
  noteLength(at: number, shift: number): void {
    this.#lengths.push({ at, shift });
  }

  /** An instruction that runs code which is charged. */
  noteCall({ from, end }: Instruction): void {
    this.#calls.push({ from, end });
  }

  /** To be told each instruction. */
  noteExit({ opcode, from }: Instruction): void {
    switch (opcode) {
      case codes.block:
      case codes.loop:
      case codes.if:
        this.#openBlocks += 1;
        return;
      case codes.end:
        this.#openBlocks -= 1;
        if (this.#openBlocks < 0) this.#exits.push(from);
        return;
      case codes.return:
        this.#exits.push(from);
        return;
      case codes.br:
      case codes.brIf:
        if (this.#body.immediatesAt(from).u32() === this.#openBlocks) this.#exits.push(from);
        return;
      case codes.brTable:
        if (this.#targets(from).includes(this.#openBlocks)) this.#exits.push(from);
        return;
      default:
    }
  }

  /** Writes the charges at the beginnings of these regions, and those that were noted. */
  write(regions: readonly Region[]): void {
    const charged = regions.filter(({ cost }) => cost > 0);
    if (charged.length === 0 && this.#lengths.length === 0) return;
    this.#left = leb(this.#body.addLocal(i32));
    if (this.#lengths.length > 0) this.#length = leb(this.#body.addLocal(i32));
    if (charged.some(({ isLoop, hasCalls }) => isLoop && !hasCalls)) this.#writeHeld(charged);
    else this.#writeCharges(charged, this.#fromGlobal);
  }

  #targets(from: number): readonly number[] {
    const reader = this.#body.immediatesAt(from);
    return [...reader.list((part) => part.u32()), reader.u32()];
  }

  // Of what is put at the same place, what comes after a call is put there first, what comes before one last.
  #writeHeld(charged: readonly Region[]): void {
    const { global } = this.#counter;
    const take = [codes.globalGet, ...global, codes.localSet, ...this.#left];
    const put = [codes.localGet, ...this.#left, codes.globalSet, ...global];
    this.#body.insert(this.#body.codeFrom, take);
    for (const { end } of this.#calls) this.#body.insert(end, take);
    this.#writeCharges(charged, (cost) => this.#fromLocal(cost, put, take));
    for (const { from } of this.#calls) this.#body.insert(from, put);
    for (const at of this.#exits) this.#body.insert(at, put);
  }

  #writeCharges(charged: readonly Region[], charge: (cost: readonly number[]) => Charge): void {
    const insert = (at: number, { code, unlikelyAt }: Charge): void => this.#body.insert(at, code, unlikelyAt);
    for (const { at, cost } of charged) insert(at, charge([codes.i32Const, ...signedLeb(BigInt(cost))]));
    for (const { at, shift } of this.#lengths) {
      this.#body.insert(at, [codes.localTee, ...this.#length]);
      insert(at, charge([codes.localGet, ...this.#length, codes.i32Const, shift, codes.i32ShrU]));
    }
  }

  /** @param cost - instructions that leave it. */
  readonly #fromGlobal = (cost: readonly number[]): Charge => {
    const { global, tick } = this.#counter;
    const lowered = [codes.globalGet, ...global, ...cost, codes.i32Sub, codes.localTee, ...this.#left];
    return this.#checked(
      [...lowered, codes.globalSet, ...global, codes.localGet, ...this.#left],
      [codes.call, ...tick],
    );
  };

  #fromLocal(cost: readonly number[], put: readonly number[], take: readonly number[]): Charge {
    const lowered = [codes.localGet, ...this.#left, ...cost, codes.i32Sub, codes.localTee, ...this.#left];
    return this.#checked(lowered, [...put, codes.call, ...this.#counter.tick, ...take]);
  }

  #checked(lowered: readonly number[], slow: readonly number[]): Charge {
    const before = [...lowered, codes.i32Const, 0, codes.i32LtS];
    return { code: [...before, codes.if, empty, ...slow, codes.end], unlikelyAt: before.length };
  }
}

interface Charge {
  readonly code: readonly number[];
  readonly unlikelyAt: number;
}

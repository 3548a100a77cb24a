/**
 * Makes a module count what it does: its fuel (docs/internals/fuel.md). The code is charged where a function is entered, at each
 * loop's head, and where bulk instructions move as much as they are told to.
 *
 *   1. A charge lowers {@link fuelExport} by its cost; when that is below 0, it calls the function in {@link tickExport}.
 *   2. The code is otherwise as it was: no charge changes a value, and nothing is renumbered.
 *   3. A start function is no longer run by V8, which would do it before the host can fill the counter, but exported as
 *      {@link startExport}.
 *   4. Between two charges at most as many instructions run as the first one was of, plus {@link leafCostMax} for each indirect call.
 */
import type { FunctionEdit } from './function-edit.ts';
import type { Instruction } from './instruction-scan.ts';
import type { ModuleEdit } from './module-edit.ts';
import { fuelExport, startExport, tickExport } from './own-names.ts';
import { regionsOf, type InstructionCost } from './region-costs.ts';
import { externKinds } from './wasm-sections.ts';
import { leb, signedLeb } from './wasm-writer.ts';

/** Changes whenever the same code is charged otherwise, or computes otherwise: states that carry a counter don't fit then. */
export const meteringVersion = 2;

/** A function that makes no calls, has no loops and costs at most so much is charged where it is called. */
const leafCostMax = 16;
/** So that few functions are looked at twice. */
const leafBytesMax = 64;
/** Of an instruction that makes the host allocate. */
const growCost = 1_000;

const i64 = 0x7e;
const i32 = 0x7f;
const oneFunction = [0x70, 1, 1, 1];
const codes = {
  if: 0x04,
  end: 0x0b,
  call: 0x10,
  callIndirect: 0x11,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
  localGet: 0x20,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  i64LtS: 0x53,
  i64Sub: 0x7d,
  i64ShrU: 0x88,
  i64ExtendI32U: 0xad,
  bulk: 0xfc,
} as const;
const empty = 0x40;
/** nop, block, loop, else, end: nothing is done there. */
const free: ReadonlySet<number> = new Set([0x01, 0x02, 0x03, 0x05, 0x0b]);
/** Bulk instructions whose last operand is a length, by how many bits it is shifted: 8 bytes cost 1, and so does an element of a table. */
const lengthShifts: ReadonlyMap<number, number> = new Map([
  [8, 3],
  [10, 3],
  [11, 3],
  [12, 0],
  [14, 0],
  [15, 0],
  [17, 0],
]);
const tableGrow = 15;

/** The indexes of what was added, encoded. */
interface Counter {
  readonly global: readonly number[];
  readonly table: readonly number[];
  readonly type: readonly number[];
}

/** Adds the counter, and the charges to all functions. @param rewrite - whatever else each function is to become. */
export const meter = (edit: ModuleEdit, rewrite: (body: FunctionEdit) => void = () => undefined): void => {
  const type = edit.addType([0x60, 0, 0]);
  const table = edit.addTable(oneFunction);
  const global = edit.addGlobal([i64, 1, codes.i64Const, 0, codes.end]);
  edit.addExport(fuelExport, externKinds.global, global);
  edit.addExport(tickExport, externKinds.table, table);
  const start = edit.removeStart();
  if (start !== undefined) edit.addExport(startExport, externKinds.function, start);
  const leaves = leavesOf(edit);
  const counter = { global: leb(global), table: leb(table), type: leb(type) };
  edit.rewriteFunctions((body) => {
    chargeFunction(body, counter, leaves);
    rewrite(body);
  });
};

/** The functions that are charged where they are called, with their costs. */
const leavesOf = (edit: ModuleEdit): ReadonlyMap<number, number> => {
  const leaves = new Map<number, number>();
  edit.eachFunction((body) => {
    if (body.codeBytes > leafBytesMax) return;
    let isLeaf = true;
    const [entry, ...loops] = regionsOf(body, (instruction) => {
      isLeaf &&= !isCall(instruction.opcode) && instruction.opcode !== codes.memoryGrow && !isBulk(instruction);
      return ownCost(instruction);
    });
    if (isLeaf && entry && loops.length === 0 && entry.cost <= leafCostMax) leaves.set(body.index, entry.cost);
  });
  return leaves;
};

const isCall = (opcode: number): boolean => opcode >= codes.call && opcode <= codes.returnCallIndirect;
const isBulk = ({ opcode, operation }: Instruction): boolean => opcode === codes.bulk && lengthShifts.has(operation);

const ownCost: InstructionCost = ({ opcode, operation }) => {
  if (free.has(opcode)) return 0;
  return opcode === codes.memoryGrow || (opcode === codes.bulk && operation === tableGrow) ? growCost : 1;
};

const chargeFunction = (body: FunctionEdit, counter: Counter, leaves: ReadonlyMap<number, number>): void => {
  const bulk: Instruction[] = [];
  const costOf: InstructionCost = (instruction) => {
    const { opcode, from } = instruction;
    if (isBulk(instruction)) bulk.push(instruction);
    if (opcode === codes.call || opcode === codes.returnCall)
      return 1 + (leaves.get(body.immediatesAt(from).u32()) ?? 0);
    return isCall(opcode) ? 1 + leafCostMax : ownCost(instruction);
  };
  const [entry, ...loops] = regionsOf(body, costOf);
  const isCharged = !leaves.has(body.index);
  const charged = [...(isCharged && entry ? [entry] : []), ...loops].filter(({ cost }) => cost > 0);
  if (charged.length === 0 && bulk.length === 0) return;
  const charges = new Charges(body, counter);
  for (const { at, cost } of charged) body.insert(at, charges.of([codes.i64Const, ...signedLeb(BigInt(cost))]));
  for (const { from, operation } of bulk) body.insert(from, charges.ofLength(lengthShifts.get(operation) ?? 0));
};

/** The charges of one function. */
class Charges {
  readonly #body: FunctionEdit;
  readonly #counter: Counter;
  readonly #left: readonly number[];
  #length: readonly number[] | undefined;

  constructor(body: FunctionEdit, counter: Counter) {
    this.#body = body;
    this.#counter = counter;
    this.#left = leb(body.addLocal(i64));
  }

  /** @param cost - instructions that leave it. */
  of(cost: readonly number[]): readonly number[] {
    const { global, table, type } = this.#counter;
    const lower = [codes.globalGet, global, cost, codes.i64Sub, codes.localTee, this.#left, codes.globalSet, global];
    const isBelowZero = [codes.localGet, this.#left, codes.i64Const, 0, codes.i64LtS];
    const tick = [codes.i32Const, 0, codes.callIndirect, type, table];
    return [lower, isBelowZero, codes.if, empty, tick, codes.end].flat(2);
  }

  /** For an instruction whose last operand is a length, which lies on the stack. */
  ofLength(shift: number): readonly number[] {
    this.#length ??= leb(this.#body.addLocal(i32));
    const length = this.#length;
    const cost = [codes.localGet, ...length, codes.i64ExtendI32U, codes.i64Const, shift, codes.i64ShrU];
    return [codes.localTee, ...length, ...this.of(cost)];
  }
}

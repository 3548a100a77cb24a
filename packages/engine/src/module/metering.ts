/**
 * Makes a module count what it does: its fuel (docs/internals/fuel.md). The code is charged where a function is entered, at each
 * loop's head, and where bulk instructions move as much as they are told to.
 *
 *   1. A charge lowers the counter, {@link fuelExport}, by its cost; when that is below 0, it calls the function in {@link tickExport}.
 *   2. The code is otherwise as it was: no charge changes a value, and nothing is renumbered.
 *   3. A start function is no longer run by V8, which would do it before the host can fill the counter, but exported as
 *      {@link startExport}.
 *   4. Whenever code outside of a function runs, the counter is in its global; a function may hold it in a local meanwhile
 *      (`charges.ts`).
 */
import { hostCallCost, leafCostMax, regionPrice, ruleOf } from './charge-rules.ts';
import { Charges, codes, type Counter } from './charges.ts';
import type { FunctionEdit } from './function-edit.ts';
import type { Instruction } from './instruction-scan.ts';
import type { ModuleEdit } from './module-edit.ts';
import { fuelExport, startExport, tickExport } from './own-names.ts';
import { regionsOf } from './region-costs.ts';
import { externKinds } from './wasm-sections.ts';
import { leb } from './wasm-writer.ts';

/** Changes whenever the same code is charged otherwise, or computes otherwise: states that carry a counter don't fit then. */
export const meteringVersion = 4;

/** So that few functions are looked at twice. */
const leafBytesMax = 64;
const i32 = 0x7f;
const nothingToNothing = [0x60, 0, 0];
const oneFunction = [0x70, 1, 1, 1];

/** Adds the counter, and the charges to all functions. @param rewrite - whatever else each function is to become. */
export const meter = (edit: ModuleEdit, rewrite: (body: FunctionEdit) => void = () => undefined): void => {
  const type = edit.addType(nothingToNothing);
  const table = edit.addTable(oneFunction);
  const global = edit.addGlobal([i32, 1, codes.i32Const, 0, codes.end]);
  edit.addExport(fuelExport, externKinds.global, global);
  edit.addExport(tickExport, externKinds.table, table);
  const start = edit.removeStart();
  if (start !== undefined) edit.addExport(startExport, externKinds.function, start);
  const leaves = leavesOf(edit);
  // A call of it is short, wherever it stands: V8 inlines by size.
  const callTick = [0, codes.i32Const, 0, codes.callIndirect, ...leb(type), ...leb(table), codes.end];
  const counter = { global: leb(global), tick: leb(edit.addFunction(type, callTick)) };
  const isHost = (callee: number): boolean => callee < edit.importedFunctions;
  edit.rewriteFunctions((body) => {
    chargeFunction(body, counter, { leaves, isHost });
    rewrite(body);
  });
};

/** The functions that are charged where they are called, with their costs: without calls, loops and bulk instructions. */
const leavesOf = (edit: ModuleEdit): ReadonlyMap<number, number> => {
  const leaves = new Map<number, number>();
  edit.eachFunction((body) => {
    if (body.codeBytes > leafBytesMax) return;
    let isLeaf = true;
    const [entry, ...loops] = regionsOf(body, {
      costOf: (instruction) => {
        const { cost, kind } = ruleOf(instruction);
        isLeaf &&= kind === 'plain';
        return cost;
      },
      isCall: () => false,
    });
    if (isLeaf && entry && loops.length === 0 && entry.cost <= leafCostMax) leaves.set(body.index, entry.cost);
  });
  return leaves;
};

interface Callees {
  readonly leaves: ReadonlyMap<number, number>;
  readonly isHost: (callee: number) => boolean;
}

const chargeFunction = (body: FunctionEdit, counter: Counter, { leaves, isHost }: Callees): void => {
  const charges = new Charges(body, counter);
  const calleeAt = (from: number): number => body.immediatesAt(from).u32();
  // A leaf leaves the counter alone; the one that is called last doesn't come back here.
  const isCall = (instruction: Instruction): boolean => {
    const { kind } = ruleOf(instruction);
    if (kind !== 'call') return kind === 'indirect';
    return instruction.opcode === codes.returnCall || !leaves.has(calleeAt(instruction.from));
  };
  const [entry, ...loops] = regionsOf(body, {
    costOf: (instruction) => {
      const { cost, kind, lengthShift } = ruleOf(instruction);
      charges.noteExit(instruction);
      if (kind === 'plain') return cost;
      if (lengthShift !== undefined) charges.noteLength(instruction.from, lengthShift);
      if (isCall(instruction)) charges.noteCall(instruction);
      if (kind !== 'call') return cost;
      const callee = calleeAt(instruction.from);
      return cost + (isHost(callee) ? hostCallCost : (leaves.get(callee) ?? 0));
    },
    isCall,
  });
  const charged = [...(entry && !leaves.has(body.index) ? [entry] : []), ...loops];
  charges.write(charged.map((region) => ({ ...region, cost: regionPrice(region.cost) })));
};

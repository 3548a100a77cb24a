/** What each instruction costs (docs/internals/fuel.md). */
import type { Instruction } from './instruction-scan.ts';

/** How an instruction is charged. */
interface ChargeRule {
  readonly kind: 'plain' | 'call' | 'indirect' | 'bulk';
  readonly cost: number;
  /** Its last operand is a length, which is charged too, shifted to the right by so many bits. */
  readonly lengthShift?: number;
}

/** A function without loops, calls and bulk instructions that costs at most so much is charged where it is called. */
export const leafCostMax = 16;

/** What a call of a host function counts for more; as part of a long path it costs 4,000. */
export const hostCallCost = 64_000;

const bulkPrefix = 0xfc;
const free: ChargeRule = { kind: 'plain', cost: 0 };
const plain: ChargeRule = { kind: 'plain', cost: 1 };
const call: ChargeRule = { kind: 'call', cost: 1 };
/** It may be a call of a leaf. */
const indirect: ChargeRule = { kind: 'indirect', cost: 1 + leafCostMax };
/** The host allocates. */
const grow: ChargeRule = { kind: 'bulk', cost: hostCallCost };
/** 8 bytes cost 1. */
const ofMemory: ChargeRule = { kind: 'bulk', cost: 1, lengthShift: 3 };
/** 2 elements cost 1. No length is so great that its charge would be a negative number. */
const ofTable: ChargeRule = { kind: 'bulk', cost: 1, lengthShift: 1 };
const growTable: ChargeRule = { ...ofTable, cost: grow.cost };

const byNumber = (rules: readonly (readonly [number, ChargeRule])[]): readonly ChargeRule[] => {
  const found = new Map(rules);
  return Array.from({ length: 256 }, (_, number) => found.get(number) ?? plain);
};

const rules = byNumber([
  // nop, block, loop, else, end
  ...[0x01, 0x02, 0x03, 0x05, 0x0b].map((opcode) => [opcode, free] as const),
  // call, return_call; call_indirect, return_call_indirect
  ...[0x10, 0x12].map((opcode) => [opcode, call] as const),
  ...[0x11, 0x13].map((opcode) => [opcode, indirect] as const),
  // memory.grow
  [0x40, grow],
]);
const bulkRules = byNumber([
  // memory.init, memory.copy, memory.fill
  ...[8, 10, 11].map((operation) => [operation, ofMemory] as const),
  // table.init, table.copy, table.fill; table.grow
  ...[12, 14, 17].map((operation) => [operation, ofTable] as const),
  [15, growTable],
]);

const fullPathMax = 64;
const longPathDivisor = 16;
/** The operand of `i32.const`; no counter that isn't below 0 overflows with it. */
const priceMax = 2 ** 31 - 1;

/**
 * What a region costs whose longest path is so long. Beyond 64 it is a sixteenth: a path that long is mostly that of the largest of many
 * branches, as in an interpreter's loop, of which a turn takes another one.
 */
export const regionPrice = (path: number): number =>
  path <= fullPathMax ? path : Math.min(priceMax, fullPathMax + Math.floor((path - fullPathMax) / longPathDivisor));

/** What says which instruction it is. */
type Kind = Pick<Instruction, 'opcode' | 'operation'>;

/** The rule for an instruction. */
export const ruleOf = ({ opcode, operation }: Kind): ChargeRule =>
  (opcode === bulkPrefix ? bulkRules[operation] : rules[opcode]) ?? plain;

const [afterControl, beforePrefixes] = [0x1a, 0xfa];

/** By opcode, 1 for those that cost 1 and go on to the next instruction: counting them is all. */
export const countedOpcodes: Uint8Array = Uint8Array.from({ length: 256 }, (_, opcode) => {
  const { kind, cost } = ruleOf({ opcode, operation: 0 });
  return opcode >= afterControl && opcode <= beforePrefixes && kind === 'plain' && cost === 1 ? 1 : 0;
});

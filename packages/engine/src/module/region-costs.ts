/**
 * What a function's code costs. A function is divided into regions: one that begins at its entry, and one at each loop's head.
 * A region ends where an inner loop begins and goes on behind it; each time control comes to its beginning, its cost is charged.
 *
 *   1. The cost of a region is the sum of what is on its longest path: as many instructions run at most until the next charge.
 *   2. It depends on the code alone.
 */
import { countedOpcodes } from './charge-rules.ts';
import type { FunctionEdit } from './function-edit.ts';
import type { Instruction } from './instruction-scan.ts';

/** A place where a region begins, and what it costs. */
export interface Region {
  /** Offset of the first instruction behind the entry, or the loop's head. */
  readonly at: number;
  readonly cost: number;
  readonly isLoop: boolean;
  /** Whether something is called in it. */
  readonly hasCalls: boolean;
}

/** What an instruction is to a region. */
export interface InstructionRules {
  /** What it costs by itself. Not asked of `countedOpcodes`, which cost 1. */
  readonly costOf: (instruction: Instruction) => number;
  /** Asked of calls of all kinds. */
  readonly isCall: (instruction: Instruction) => boolean;
}

interface OpenRegion {
  readonly at: number;
  readonly isLoop: boolean;
  /** Longest path from its beginning to here; `dead` where control can't come. */
  length: number;
  cost: number;
  hasCalls: boolean;
}

/** A block that is open: where branches to its label go. */
interface Frame {
  readonly kind: 'block' | 'loop' | 'if';
  readonly region: OpenRegion;
  /** Longest path to its label, for a block. */
  toEnd: number;
  /** Length where it began. */
  readonly lengthAtStart: number;
}

const dead = -1;
const codes = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  returnCall: 0x12,
  returnCallIndirect: 0x13,
} as const;

const isAnyCall = (opcode: number): boolean => opcode >= codes.call && opcode <= codes.returnCallIndirect;

/** The regions of a function, its entry first, then its loops in the order of their heads. */
export const regionsOf = (edit: FunctionEdit, rules: InstructionRules): readonly Region[] => {
  const walk = new RegionWalk(edit, rules);
  edit.scan((instruction) => walk.take(instruction), countedOpcodes);
  return walk.regions;
};

class RegionWalk {
  readonly #edit: FunctionEdit;
  readonly #rules: InstructionRules;
  readonly #all: OpenRegion[];
  readonly #frames: Frame[];
  #region: OpenRegion;

  constructor(edit: FunctionEdit, rules: InstructionRules) {
    this.#edit = edit;
    this.#rules = rules;
    this.#region = { at: edit.codeFrom, isLoop: false, length: 0, cost: 0, hasCalls: false };
    this.#all = [this.#region];
    this.#frames = [{ kind: 'block', region: this.#region, toEnd: dead, lengthAtStart: 0 }];
  }

  get regions(): readonly Region[] {
    return this.#all;
  }

  take(instruction: Instruction): void {
    this.#count(instruction.passed);
    this.#count(this.#rules.costOf(instruction));
    if (isAnyCall(instruction.opcode)) this.#region.hasCalls ||= this.#rules.isCall(instruction);
    switch (instruction.opcode) {
      case codes.block:
        return this.#open('block');
      case codes.if:
        return this.#open('if');
      case codes.loop:
        return this.#openLoop(instruction.end);
      case codes.else:
        return this.#turn();
      case codes.end:
        return this.#close();
      default:
        return this.#leave(instruction);
    }
  }

  #leave({ opcode, from }: Instruction): void {
    switch (opcode) {
      case codes.brIf:
        return this.#branch(this.#edit.immediatesAt(from).u32());
      case codes.br:
        this.#branch(this.#edit.immediatesAt(from).u32());
        return this.#die();
      case codes.brTable:
        for (const depth of this.#targets(from)) this.#branch(depth);
        return this.#die();
      case codes.unreachable:
      case codes.return:
      case codes.returnCall:
      case codes.returnCallIndirect:
        return this.#die();
      default:
    }
  }

  #targets(from: number): ReadonlySet<number> {
    const reader = this.#edit.immediatesAt(from);
    return new Set([...reader.list((part) => part.u32()), reader.u32()]);
  }

  #count(cost: number): void {
    const region = this.#region;
    if (region.length === dead) return;
    region.length += cost;
    region.cost = Math.max(region.cost, region.length);
  }

  #open(kind: 'block' | 'if'): void {
    const region = this.#region;
    this.#frames.push({ kind, region, toEnd: dead, lengthAtStart: region.length });
  }

  #openLoop(at: number): void {
    const outer = this.#region;
    this.#region = { at, isLoop: true, length: outer.length === dead ? dead : 0, cost: 0, hasCalls: false };
    this.#all.push(this.#region);
    this.#frames.push({ kind: 'loop', region: this.#region, toEnd: dead, lengthAtStart: outer.length });
  }

  /** `else`: what came before goes to the end. */
  #turn(): void {
    const frame = this.#frames.pop();
    if (!frame) return;
    const { region, lengthAtStart } = frame;
    this.#frames.push({ kind: 'block', region, toEnd: Math.max(frame.toEnd, region.length), lengthAtStart });
    region.length = lengthAtStart;
  }

  #close(): void {
    const frame = this.#frames.pop();
    if (!frame) return;
    const { kind, region, toEnd, lengthAtStart } = frame;
    const outer = this.#frames.at(-1)?.region;
    if (kind === 'loop' && outer) this.#region = outer;
    else region.length = Math.max(region.length, toEnd, kind === 'if' ? lengthAtStart : dead);
  }

  /** A way to the label of the frame that is `depth` frames further out. Back to a loop's head leads into no cost of this region. */
  #branch(depth: number): void {
    const frame = this.#frames.at(-1 - depth);
    // Out of a loop: what its inner region took is charged there, the outer one stood still.
    if (frame && frame.kind !== 'loop') frame.toEnd = Math.max(frame.toEnd, frame.region.length);
  }

  #die(): void {
    this.#region.length = dead;
  }
}

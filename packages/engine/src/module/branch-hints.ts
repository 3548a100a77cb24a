/**
 * The custom section that tells an engine which way a branch goes (https://github.com/WebAssembly/branch-hinting): it stands before the
 * code section. Engines that don't know it pass it over.
 */
import type { EditedBody } from './function-edit.ts';
import { sectionBytes, type Section } from './wasm-sections.ts';
import { leb, nameBytes } from './wasm-writer.ts';

const name = 'metadata.code.branch_hint';
const custom = 0;
/** A hint of one byte, which says: not taken. */
const unlikelyHint = [1, 0];

/** The section for these functions, in the order of their numbers; nothing when there is no hint. */
export const branchHints = (bodies: readonly (EditedBody & { readonly index: number })[]): Uint8Array => {
  const hinted = bodies.filter(({ unlikely }) => unlikely.length > 0);
  if (hinted.length === 0) return new Uint8Array();
  const parts = hinted.map(({ index, unlikely }) =>
    Buffer.from([...leb(index), ...leb(unlikely.length), ...unlikely.flatMap((at) => [...leb(at), ...unlikelyHint])]),
  );
  return sectionBytes(custom, Buffer.concat([Buffer.from([...nameBytes(name), ...leb(hinted.length)]), ...parts]));
};

/** Whether this is such a section. */
export const isBranchHints = ({ id, reader }: Section): boolean => id === custom && reader.rewound().name() === name;

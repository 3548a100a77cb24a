/**
 * The module file: what `deploy` uploads and workers fetch, known by the BLAKE3 hash of its bytes. One MessagePack
 * array `[format, kind, runtime, workflows, code, sourceMap]`, so that hash and content can't drift apart.
 */
import { z } from 'zod';
import { mvmError } from './error.ts';
import { blake3, toHex } from './hash.ts';
import { limits } from './limits.ts';
import { pack, unpack } from './packer.ts';

/**
 * How a module's code is run: a script on the QuickJS runtime, a core WebAssembly module with the step interface, a WASI
 * preview 1 program, or a module of the public `flawless` crate.
 */
export const moduleKinds = ['javascript', 'core', 'wasi', 'flawless'] as const;
/** One of {@link moduleKinds}. */
export type ModuleKind = (typeof moduleKinds)[number];

/** A module, unpacked. */
export interface ModuleFile {
  readonly kind: ModuleKind;
  /** The guest runtime that the code was built for, such as `quickjs-ng/0.32.0`; of `wasi`, '' or `text` (docs/reference/guests.md); else ''. */
  readonly runtime: string;
  /** Entry points; the first one is the default. */
  readonly workflows: readonly string[];
  /** UTF-8 script or WebAssembly binary. */
  readonly code: Uint8Array;
  /** Source map (JSON, ECMA-426) from the script to the author's files; empty when there is none. */
  readonly sourceMap: Uint8Array;
}

const format = 1;
const schema = z.tuple([
  z.literal(format),
  z.enum(moduleKinds),
  z.string().max(limits.idCharsMax),
  z.array(z.string().min(1).max(limits.idCharsMax)).min(1).max(limits.idCharsMax),
  z.instanceof(Uint8Array),
  z.instanceof(Uint8Array),
]);

/** The module file's bytes. */
export const encodeModule = (module: ModuleFile): Uint8Array =>
  pack([format, module.kind, module.runtime, module.workflows, module.code, module.sourceMap]);

/**
 * The module in `bytes`; its code is not looked at (admission does that).
 *
 * @throws {MvmError} `MODULE_INVALID` when the bytes aren't a module file of a format that this build knows.
 */
export const decodeModule = (bytes: Uint8Array): ModuleFile => {
  const parsed = schema.safeParse(tryUnpack(bytes));
  if (!parsed.success) {
    throw mvmError(
      'MODULE_INVALID',
      `not a module file of format ${format} (build one with "mvm-ci build"): ${z.prettifyError(parsed.error)}`,
    );
  }
  const [, kind, runtime, workflows, code, sourceMap] = parsed.data;
  return { kind, runtime, workflows, code, sourceMap };
};

/** The module's name in the system: BLAKE3 of its file, 64 hex digits. */
export const moduleHash = (file: Uint8Array): string => toHex(blake3(file));

const tryUnpack = (bytes: Uint8Array): unknown => {
  try {
    return unpack(bytes);
  } catch {
    return undefined;
  }
};

import type { ModuleFile } from '@mvm-ci/protocol';
import { buildCore } from './build-core.ts';
import { wasmFacts } from './wasm-kind.ts';

/** A module of which there is nothing but its binary. */
export interface WasmModule {
  readonly file: ModuleFile;
  /** Name and version that the binary names itself; undefined when it names none. */
  readonly identity: { readonly name: string; readonly version: string } | undefined;
}

/**
 * The module of a WebAssembly binary; one whose kind doesn't name its entry points has `workflows`.
 *
 * @throws {MvmError} `BUILD_FAILED` when it is of no kind that can be run
 */
export const moduleOfWasm = (wasm: Uint8Array, workflows: readonly string[]): WasmModule => {
  const { kind, workflows: named, identity } = wasmFacts(wasm);
  return { file: buildCore({ wasm, kind, workflows: named.length > 0 ? named : workflows }), identity };
};

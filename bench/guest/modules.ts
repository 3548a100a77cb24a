/** The modules of the benches, built in memory from the sources beside this file. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { buildCore, buildWorkflow } from '@mvm-ci/build';
import { encodeModule, moduleHash } from '@mvm-ci/protocol';
import { compileString } from 'assemblyscript/asc';

/** The entry points that both modules have. */
export const workflows = { nothing: 'nothing', threeEffects: 'three_effects' } as const;

/** A module, ready to be deployed. */
export interface BenchModule {
  readonly name: string;
  readonly version: string;
  /** BLAKE3 of the file, hex. */
  readonly hash: string;
  readonly file: Uint8Array;
}

const version = '1.0.0';
const coreSource = new URL('./steps.as', import.meta.url);
const scriptSource = new URL('./steps.ts', import.meta.url);

/** The guest in AssemblyScript, of the `core` kind. */
export const buildCoreModule = async (): Promise<BenchModule> => {
  const source = await readFile(coreSource, 'utf8');
  const { error, binary } = await compileString(source, {
    runtime: 'stub',
    use: ['abort='],
    optimizeLevel: 3,
  });
  if (error || !binary) throw new Error("steps.as can't be compiled", { cause: error });
  const module = buildCore({ wasm: binary, workflows: Object.values(workflows) });
  return named('bench-core', encodeModule(module));
};

/** The guest in TypeScript, of the `javascript` kind. */
export const buildScriptModule = async (): Promise<BenchModule> => {
  const { bytes } = await buildWorkflow({ entry: fileURLToPath(scriptSource) });
  return named('bench-ts', bytes);
};

const named = (name: string, file: Uint8Array): BenchModule => ({ name, version, hash: moduleHash(file), file });

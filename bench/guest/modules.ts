/** The modules of the benches, built in memory from the sources beside this file. */
import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { buildCore, buildWorkflow } from '@mvm-ci/build';
import { encodeModule, moduleHash } from '@mvm-ci/protocol';
import { windowWorkflow, workflows } from './workflows.ts';

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
const computeSource = new URL('./compute.as', import.meta.url);
const compiler = fileURLToPath(import.meta.resolve('assemblyscript/bin/asc.js'));
const scriptSource = new URL('./steps.ts', import.meta.url);

/** The guest in AssemblyScript, of the `core` kind. */
export const buildCoreModule = async (): Promise<BenchModule> => {
  const module = buildCore({
    wasm: await compiled(coreSource),
    workflows: [...Object.values(workflows), windowWorkflow],
  });
  return named('bench-core', encodeModule(module));
};

/** WebAssembly that exports the programs of `compute.as`. */
export const buildComputePrograms = (): Promise<Uint8Array> => compiled(computeSource);

// The compiler as a program: its types, imported, would declare a `console` of their own for the whole project.
const compiled = async (file: URL): Promise<Uint8Array> => {
  const folder = await mkdtemp(join(tmpdir(), 'mvm-ci-bench-'));
  try {
    const wasm = join(folder, 'steps.wasm');
    const source = join(folder, 'steps.ts');
    await copyFile(file, source);
    const options = ['--runtime', 'stub', '--use', 'abort=', '--optimize', '--outFile', wasm];
    await promisify(execFile)(process.execPath, [compiler, source, ...options]);
    return await readFile(wasm);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** The guest in TypeScript, of the `javascript` kind. */
export const buildScriptModule = async (): Promise<BenchModule> => {
  const { bytes } = await buildWorkflow({ entry: fileURLToPath(scriptSource) });
  return named('bench-ts', bytes);
};

const named = (name: string, file: Uint8Array): BenchModule => ({ name, version, hash: moduleHash(file), file });

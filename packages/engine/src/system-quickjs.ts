/**
 * The builds of the script runtime that are installed, from the packages that ship them. The first one is what modules are built for
 * now; the others are here for jobs that began with them (docs/reference/guests.md, "Runtimes").
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { buildOf } from './guest/quickjs/quickjs-build.ts';
import { meteredRuntime } from './system-metered-runtime.ts';

const packageNames = ['@jitl/quickjs-ng-wasmfile-release-sync', 'quickjs-ng-0.31'] as const;

const pathOf = (specifier: string): string => fileURLToPath(import.meta.resolve(specifier));

const manifestSchema = z.object({ version: z.string() });

/** Its name and version, from the package; undefined when that isn't installed. */
const runtimeIn = (packageName: string): string | undefined => {
  let manifest: string;
  try {
    manifest = readFileSync(pathOf(`${packageName}/package.json`), 'utf8');
  } catch {
    return undefined;
  }
  return `quickjs-ng/${manifestSchema.parse(JSON.parse(manifest)).version}`;
};

const packages: ReadonlyMap<string, string> = new Map(
  packageNames.flatMap((packageName) => {
    const runtime = runtimeIn(packageName);
    return runtime === undefined ? [] : [[runtime, packageName] as const];
  }),
);

/** Names and versions of the script runtimes that modules can be run with here, the current one first. */
export const guestRuntimes: readonly string[] = [...packages.keys()];

/**
 * Name and version of the script runtime that modules are built for now. It is part of a module's identity: a journal is replayed
 * only with the runtime that wrote it.
 */
export const guestRuntime: string = guestRuntimes[0] ?? '';

/**
 * A compiled runtime, one of {@link guestRuntimes}, which counts its fuel; compiled once per process. @default the current one
 *
 * @throws {MvmError} `INTERNAL` when the package has a build that the engine doesn't know
 */
export const compileQuickjs = (runtime: string = guestRuntime): Promise<WebAssembly.Module> => {
  const known = compiled.get(runtime) ?? compile(runtime);
  compiled.set(runtime, known);
  return known;
};

const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** A runtime's binary, as its package has it. */
export const runtimeBinary = async (runtime: string): Promise<Uint8Array> =>
  new Uint8Array(await readFile(pathOf(`${packages.get(runtime) ?? packageNames[0]}/wasm`)));

const compile = async (runtime: string): Promise<WebAssembly.Module> => {
  const module = await WebAssembly.compile(await meteredRuntime(runtime, () => runtimeBinary(runtime)));
  buildOf(module);
  return module;
};

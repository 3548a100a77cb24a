/** The script runtime's binary, from the package that ships it. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { assertKnownBuild } from './guest/quickjs/quickjs-exports.ts';

const packageName = '@jitl/quickjs-ng-wasmfile-release-sync';
const pathOf = (specifier: string): string => fileURLToPath(import.meta.resolve(`${packageName}/${specifier}`));
const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(pathOf('package.json'), 'utf8')));

/**
 * Name and version of the script runtime. It is part of a module's identity: a journal is replayed only with the runtime
 * that wrote it.
 */
export const guestRuntime: string = `quickjs-ng/${version}`;

/** The compiled runtime; compiled once per process. @throws {MvmError} `INTERNAL` when the package has another build */
export const compileQuickjs = (): Promise<WebAssembly.Module> => {
  compiled ??= compile();
  return compiled;
};

let compiled: Promise<WebAssembly.Module> | undefined;

const compile = async (): Promise<WebAssembly.Module> => {
  const module = await WebAssembly.compile(await readFile(pathOf('wasm')));
  assertKnownBuild(module);
  return module;
};

/** Finds out what a folder or a file builds: name, version and the entry, from package.json where there is one. */
import { existsSync, realpathSync } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { mvmError, parseAs, type MvmError } from '@mvm-ci/protocol';
import { z } from 'zod';

const wasmFields = {
  wasm: z.string().min(1),
  workflows: z.array(z.string().min(1)).min(1),
  build: z.string().min(1).optional(),
};
const manifestSchema = z.object({
  name: z.string().min(1).optional(),
  version: z.string().min(1).optional(),
  main: z.string().min(1).optional(),
  mvm: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('javascript'), entry: z.string().min(1).optional() }),
      z.object({ kind: z.literal('core'), ...wasmFields }),
      z.object({ kind: z.literal('wasi'), ...wasmFields, input: z.enum(['json', 'text']).optional() }),
      z.object({ kind: z.literal('flawless'), wasm: wasmFields.wasm, build: wasmFields.build }),
    ])
    .optional(),
});

type Manifest = z.infer<typeof manifestSchema>;

/** A script to be bundled. */
export interface ScriptSource {
  readonly kind: 'javascript';
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  /** Absolute path of the entry file. */
  readonly entry: string;
}

/** A WebAssembly binary, and how it is made. */
export interface CoreSource {
  /** As the manifest states it; undefined when there is none. */
  readonly kind: 'core' | 'wasi' | 'flawless' | undefined;
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  /** Absolute path of the binary. */
  readonly wasm: string;
  /** Of a module that doesn't name its entry points itself. */
  readonly workflows: readonly string[];
  /** Shell command that makes the binary, run in the folder. */
  readonly build: string | undefined;
  /** See `ModuleFile.runtime`. */
  readonly runtime: string;
}

/** What is built. */
export type WorkflowSource = ScriptSource | CoreSource;

const versionDefault = '0.0.0';
const extensions = ['.ts', '.mts', '.tsx', '.js', '.mjs', '.jsx'];

/**
 * The source in a folder.
 *
 * @throws {MvmError} `BUILD_FAILED` when there is no folder, no valid package.json or no entry file.
 */
export const readFolder = async (path: string): Promise<WorkflowSource> => {
  // The bundler names sources by their real places: through a link they would get other names, and the module another hash.
  const folder = await realpath(path).catch(() => undefined);
  const facts = folder === undefined ? undefined : await stat(folder);
  if (folder === undefined || facts === undefined)
    throw mvmError('BUILD_FAILED', `no folder or file at "${path}"`, { path });
  if (facts.isFile()) return readEntry(folder);
  const manifest = await readManifest(folder);
  const name = nameOf(manifest.name ?? basename(folder));
  const version = manifest.version ?? versionDefault;
  if (manifest.mvm && manifest.mvm.kind !== 'javascript') return wasmSource({ folder, name, version }, manifest.mvm);
  return { kind: 'javascript', folder, name, version, entry: findEntry(folder, name, manifest) };
};

type WasmManifest = Exclude<NonNullable<Manifest['mvm']>, { readonly kind: 'javascript' }>;

const wasmSource = (where: Pick<CoreSource, 'folder' | 'name' | 'version'>, mvm: WasmManifest): CoreSource => ({
  ...where,
  kind: mvm.kind,
  wasm: join(where.folder, mvm.wasm),
  workflows: mvm.kind === 'flawless' ? [] : mvm.workflows,
  build: mvm.build,
  runtime: mvm.kind === 'wasi' && mvm.input === 'text' ? 'text' : '',
});

/** The source that is one file: its name is the module's (and, of a binary, the workflow's), its version 0.0.0. */
export const readEntry = (path: string): WorkflowSource => {
  const entry = existsSync(path) ? realpathSync(path) : resolve(path);
  if (!existsSync(entry)) throw mvmError('BUILD_FAILED', `no file at "${path}"`, { path });
  const name = basename(entry, extname(entry));
  const where = { folder: dirname(entry), name, version: versionDefault };
  if (extname(entry) === '.wasm')
    return { ...where, kind: undefined, wasm: entry, workflows: [name], build: undefined, runtime: '' };
  return { ...where, kind: 'javascript', entry };
};

const readManifest = async (folder: string): Promise<Manifest> => {
  const path = join(folder, 'package.json');
  if (!existsSync(path)) return {};
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return parseAs(manifestSchema, value, 'package.json');
  } catch (error) {
    throw manifestError(error);
  }
};

const manifestError = (error: unknown): MvmError => {
  const reason = error instanceof Error ? error.message : String(error);
  return mvmError('BUILD_FAILED', `package.json is not valid: ${reason}`, { file: 'package.json' }, { cause: error });
};

/** A package's name without its scope. */
const nameOf = (name: string): string => name.replace(/^@[^/]*\//, '');

const findEntry = (folder: string, name: string, { main, mvm }: Manifest): string => {
  const named = mvm?.kind === 'javascript' && mvm.entry !== undefined ? mvm.entry : main;
  if (named !== undefined) {
    if (existsSync(join(folder, named))) return join(folder, named);
    throw mvmError('BUILD_FAILED', `package.json names the entry "${named}", and there is no such file`, {
      entry: named,
    });
  }
  const bases = ['src/index', `src/${name}`, 'index', name];
  const candidates = bases.flatMap((base) => extensions.map((extension) => `${base}${extension}`));
  const found = candidates.find((candidate) => existsSync(join(folder, candidate)));
  if (found !== undefined) return join(folder, found);
  throw mvmError(
    'BUILD_FAILED',
    `no entry file in "${folder}": name one in package.json ("main"), or write src/index.ts or src/${name}.ts`,
    { folder },
  );
};

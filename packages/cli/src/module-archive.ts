import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { decodeModule, mvmError, moduleHash, type ModuleFile } from '@mvm-ci/protocol';
import { ArgumentError } from './argument-error.ts';
import { pathFrom } from './command-context.ts';
import type { Host } from './host.ts';

/** A module with the name under which it is deployed. */
export interface NamedModule {
  readonly name: string;
  readonly version: string;
  readonly file: ModuleFile;
  /** The file's bytes. */
  readonly bytes: Uint8Array;
  /** BLAKE3 of the bytes, hex. */
  readonly hash: string;
}

const extension = '.mvm';

/** What a module file is called unless told otherwise: it says under which name its content is deployed. */
export const archiveName = ({ name, version }: Pick<NamedModule, 'name' | 'version'>): string =>
  `${name}@${version}${extension}`;

/** Reads `name@version`. @throws INVALID_ARGUMENT */
const parseModuleName = (text: string): { readonly name: string; readonly version: string } => {
  const [, name, version] = /^([^@/]+)@([^@/]+)$/.exec(text) ?? [];
  if (name !== undefined && version !== undefined) return { name, version };
  throw new ArgumentError('INVALID_ARGUMENT', `a module is deployed as name@version, not "${text}"`, {
    received: text,
  });
};

/**
 * The module at `path`: a module file (`….mvm`), or a folder, source file or WebAssembly binary that is
 * built first.
 *
 * @throws BUILD_FAILED when there is nothing to build, or it can't be built; MODULE_INVALID when the file isn't a module
 */
export const loadModule = async (host: Host, path: string, as: string | undefined): Promise<NamedModule> => {
  const named = as === undefined ? undefined : parseModuleName(as);
  if (path.endsWith(extension)) return readArchive(pathFrom(host, path), named);
  const { buildWorkflow } = await import('@mvm-ci/build');
  const built = await buildWorkflow({ folder: pathFrom(host, path) });
  return { ...built, ...named };
};

/** Writes the module's bytes to `path`. */
export const writeArchive = async (path: string, module: NamedModule): Promise<void> => {
  try {
    await writeFile(path, module.bytes);
  } catch (error) {
    throw mvmError('BUILD_FAILED', `the module can't be written: ${String(error)}`, { path });
  }
};

const readArchive = async (
  path: string,
  named: { readonly name: string; readonly version: string } | undefined,
): Promise<NamedModule> => {
  const { name, version } = named ?? parseModuleName(basename(path, extension));
  const bytes = new Uint8Array(await readFileOrFail(path));
  return { name, version, file: decodeModule(bytes), bytes, hash: moduleHash(bytes) };
};

const readFileOrFail = async (path: string): Promise<Uint8Array> => {
  try {
    return await readFile(path);
  } catch (error) {
    throw mvmError('MODULE_INVALID', `the module file can't be read: ${String(error)}`, { path });
  }
};

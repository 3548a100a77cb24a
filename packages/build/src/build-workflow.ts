import { encodeModule, limits as protocolLimits, moduleHash, mvmError, type ModuleFile } from '@mvm-ci/protocol';
import { readCore } from './build-core.ts';
import { bundle } from './bundle.ts';
import { guestRuntime } from './guest-runtime.ts';
import { listWorkflows } from './load-check.ts';
import { wasmFacts } from './wasm-kind.ts';
import { readEntry, readFolder, type ScriptSource, type WorkflowSource } from './workflow-folder.ts';

/** What to build: a folder (or the path of one file in it), or one entry file by itself. */
export type BuildOptions = ({ readonly folder: string } | { readonly entry: string }) & {
  /** Ends the build: it rejects with `CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
};

/** A module, ready to be deployed. */
export interface BuiltModule {
  readonly file: ModuleFile;
  /** The file's bytes. */
  readonly bytes: Uint8Array;
  /** BLAKE3 of the bytes, hex: the module's identity. The same sources have the same hash. */
  readonly hash: string;
  /** From package.json, without scope; else the folder's or the file's name. */
  readonly name: string;
  /** From package.json. @default '0.0.0' */
  readonly version: string;
}

/**
 * Builds the workflow in a folder: bundles a script with the SDK, or runs the build step of a
 * WebAssembly module.
 *
 * @throws {MvmError} `BUILD_FAILED` when the sources can't be built: each message names file, line and column.
 * @throws {MvmError} `MODULE_LOAD_FAILED` or `MODULE_SYNTAX_ERROR` when the built script can't be loaded.
 * @throws {MvmError} `PAYLOAD_TOO_LARGE` when the module is larger than a module may be; `CANCELLED` on `signal`.
 * @example const { bytes, name, version } = await buildWorkflow({ folder: 'examples/01-crawler' });
 */
export const buildWorkflow = async (options: BuildOptions): Promise<BuiltModule> => {
  const source = 'folder' in options ? await readFolder(options.folder) : readEntry(options.entry);
  const file = await buildSource(source, options.signal);
  const bytes = encodeModule(file);
  if (bytes.length > protocolLimits.moduleBytesMax) {
    const rule = `a module has at most ${protocolLimits.moduleBytesMax} bytes`;
    throw mvmError('PAYLOAD_TOO_LARGE', `${rule}: this one has ${bytes.length}`, { bytes: bytes.length });
  }
  const { name, version } = identityOf(source, file);
  return { file, bytes, hash: moduleHash(bytes), name, version };
};

/** A binary deployed by itself may say what it is called; a package.json has the last word. */
const identityOf = (
  source: WorkflowSource,
  { kind, code }: ModuleFile,
): { readonly name: string; readonly version: string } => {
  const named = source.kind === undefined && kind === 'flawless' ? wasmFacts(code).identity : undefined;
  return named ?? source;
};

const buildSource = (source: WorkflowSource, signal: AbortSignal | undefined): Promise<ModuleFile> =>
  source.kind === 'javascript' ? buildScript(source, signal) : readCore(source, signal);

const buildScript = async (source: ScriptSource, signal: AbortSignal | undefined): Promise<ModuleFile> => {
  const bundled = await bundle(source, signal);
  const workflows = await listWorkflows(bundled);
  const utf8 = new TextEncoder();
  return {
    kind: 'javascript',
    runtime: guestRuntime,
    workflows,
    code: utf8.encode(bundled.code),
    sourceMap: utf8.encode(bundled.sourceMap),
  };
};

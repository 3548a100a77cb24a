/** Modules that are a WebAssembly binary as it is (`core`, `wasi`, `flawless`), made first by the folder's own build step where it is needed. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { mvmError, type ModuleFile, type ModuleKind, type MvmError } from '@mvm-ci/protocol';
import { limits } from './limits.ts';
import { wasmFacts } from './wasm-kind.ts';
import type { CoreSource } from './workflow-folder.ts';

/** What a WebAssembly module is made of. */
export interface CoreParts {
  /** @default 'core' */
  readonly kind?: Exclude<ModuleKind, 'javascript'> | undefined;
  /** Of a `wasi` module: `text` when a string is given to it without quotes. @default '' */
  readonly runtime?: string | undefined;
  readonly wasm: Uint8Array;
  /** Entry points; the first one is the default. */
  readonly workflows: readonly string[];
  /** ECMA-426 JSON, when the compiler wrote one. */
  readonly sourceMap?: Uint8Array | undefined;
}

const noSourceMap = new Uint8Array(0);

/** The module file of a WebAssembly module; admission, not this, looks at the binary. */
export const buildCore = ({ wasm, workflows, ...more }: CoreParts): ModuleFile => ({
  kind: more.kind ?? 'core',
  runtime: more.runtime ?? '',
  workflows,
  code: wasm,
  sourceMap: more.sourceMap ?? noSourceMap,
});

/**
 * Reads the binary, after the folder's build step if there is one and a source is newer than the binary.
 *
 * @throws {MvmError} `BUILD_FAILED` when the step fails, with its output, leaves no binary, or one of another kind than stated
 */
export const readCore = async (source: CoreSource, signal?: AbortSignal): Promise<ModuleFile> => {
  if (source.build !== undefined && !(await isFresh(source))) await runStep(source.build, source, signal);
  if (!existsSync(source.wasm)) {
    const how = source.build === undefined ? 'build it first, or name a build step in "mvm.build"' : source.build;
    throw mvmError('BUILD_FAILED', `no WebAssembly binary at "${source.wasm}" (${how})`, { wasm: source.wasm });
  }
  return fileOf(source, new Uint8Array(await readFile(source.wasm)));
};

const fileOf = ({ kind, workflows, runtime }: CoreSource, wasm: Uint8Array): ModuleFile => {
  const facts = wasmFacts(wasm);
  if (kind !== undefined && kind !== facts.kind)
    throw mvmError('BUILD_FAILED', `package.json says that the module is "${kind}", its binary is "${facts.kind}"`, {
      stated: kind,
      found: facts.kind,
    });
  return buildCore({
    wasm,
    kind: facts.kind,
    runtime,
    workflows: facts.workflows.length > 0 ? facts.workflows : workflows,
  });
};

/** Whether the binary is newer than every file of the folder. */
const isFresh = async ({ folder, wasm }: CoreSource): Promise<boolean> => {
  const built = await stat(wasm).catch(() => undefined);
  if (!built) return false;
  const output = relative(folder, dirname(wasm)).split(sep)[0] ?? '';
  const names = await readdir(folder, { recursive: true });
  const sources = names.filter((name) => ![output, 'node_modules'].includes(name.split(sep)[0] ?? ''));
  const times = await Promise.all(sources.map(async (name) => (await stat(join(folder, name))).mtimeMs));
  return times.every((time) => time <= built.mtimeMs);
};

// As npm runs a script: a shell, in the folder, with the installed binaries on the path.
const runStep = async (script: string, { folder }: CoreSource, signal?: AbortSignal): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const options = { cwd: folder, timeout: limits.coreBuildMsMax, ...(signal && { signal }) };
  execFile('npm', ['run', '--silent', script], options, (error, stdout, stderr) => {
    if (error) reject(stepError(script, `${stdout}${stderr}`.trim() || error.message, signal));
    else resolve();
  });
  await promise;
};

const stepError = (script: string, output: string, signal?: AbortSignal): MvmError =>
  signal?.aborted === true
    ? mvmError('CANCELLED', 'the build was cancelled')
    : mvmError('BUILD_FAILED', `"npm run ${script}" failed:\n${output.slice(-limits.outputCharsMax)}`, { script });

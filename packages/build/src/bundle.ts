/**
 * Bundles a workflow with the SDK into one script (esbuild). The bundle and its source map depend on the sources alone:
 * no path of this machine, no time, no random names, so that the same sources have the same hash everywhere.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mvmError, type MvmError } from '@mvm-ci/protocol';
import { context, type BuildFailure, type BuildOptions, type Message, type Plugin } from 'esbuild';
import { z } from 'zod';
import { nodeGlobalsIn, nodeGlobalText, nodePlugin, type NodeGlobal } from './node-modules.ts';
import type { ScriptSource } from './workflow-folder.ts';

/** A bundled script. */
export interface Bundle {
  readonly code: string;
  /** ECMA-426 JSON. */
  readonly sourceMap: string;
}

/** What esbuild calls the text that imports all. */
const entryName = 'mvm-entry.js';
const sdkEntry = fileURLToPath(import.meta.resolve('@mvm-ci/sdk'));
const sdkGuest = fileURLToPath(import.meta.resolve('@mvm-ci/sdk/guest'));
const sdkExtras = fileURLToPath(import.meta.resolve('@mvm-ci/sdk/extras'));
const sdkNodeGlobals = fileURLToPath(import.meta.resolve('@mvm-ci/sdk/node-globals'));

/** What `@mvm-ci/sdk/extras` brings, by the words for it. */
const extraNames = /\b(?:Blob|File|FormData|getReader|blob|subtle|CryptoKey|(?:to|from)(?:Base64|Hex))\b|\.body\b/;

/** What a bundle is given beside the SDK, by what its sources speak of. */
type Addition = 'extras' | NodeGlobal;

/**
 * Bundles `source`. Sources that speak of what `extras.ts` of the SDK brings, or of globals of Node, are bundled a second time, with them.
 *
 * @throws {MvmError} `BUILD_FAILED` with file, line and column of each error in `details.errors`.
 * @throws {MvmError} `CANCELLED` when `signal` aborts.
 */
export const bundle = async (source: ScriptSource, signal?: AbortSignal): Promise<Bundle> => {
  const plain = await bundleWith(optionsFor(source, []), source, signal);
  const additions = await additionsFor(plain.inputs, source.folder);
  if (additions.length === 0) return plain.bundle;
  return (await bundleWith(optionsFor(source, additions), source, signal)).bundle;
};

interface Bundled {
  readonly bundle: Bundle;
  /** Files that went into it, seen from the folder. */
  readonly inputs: readonly string[];
}

const bundleWith = async (
  options: BuildOptions,
  { folder }: ScriptSource,
  signal: AbortSignal | undefined,
): Promise<Bundled> => {
  const builder = await context(options);
  const cancel = (): void => void builder.cancel();
  signal?.addEventListener('abort', cancel);
  try {
    if (signal?.aborted === true) throw cancelled();
    const { outputFiles = [], metafile } = await builder.rebuild();
    const textOf = (ending: string): string => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? '';
    const bundled = { code: textOf('.js'), sourceMap: portableMap(textOf('.js.map'), folder) };
    return { bundle: bundled, inputs: Object.keys(metafile?.inputs ?? {}) };
  } catch (error) {
    if (signal?.aborted === true) throw cancelled();
    throw isBuildFailure(error) ? buildError(error.errors, folder) : error;
  } finally {
    signal?.removeEventListener('abort', cancel);
    await builder.dispose();
  }
};

const cancelled = (): MvmError => mvmError('CANCELLED', 'the build was cancelled');

const optionsFor = ({ folder, entry, name }: ScriptSource, additions: readonly Addition[]): BuildOptions => ({
  stdin: { contents: entryText(name, additions), resolveDir: folder, sourcefile: entryName, loader: 'js' },
  absWorkingDir: folder,
  outfile: join(folder, 'module.js'),
  write: false,
  bundle: true,
  format: 'iife',
  target: 'es2023',
  // For the field `browser` of packages, which names what takes the place of single files.
  platform: 'browser',
  // A workflow is more like a page's worker than like Node: packages that have a build for each are given the former.
  mainFields: ['browser', 'module', 'main'],
  conditions: ['mvm', 'browser', 'import'],
  define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
  charset: 'utf8',
  // White space would carry comments with paths; names stay, so that stacks can be read.
  minifyWhitespace: true,
  keepNames: false,
  legalComments: 'none',
  sourcemap: 'external',
  sourcesContent: true,
  treeShaking: true,
  metafile: true,
  logLevel: 'silent',
  plugins: [resolvePlugin(entry), nodePlugin],
});

// The SDK is imported first: its prelude must be there before the author's first line runs.
const entryText = (name: string, additions: readonly Addition[]): string => `
import { defineWorkflows } from '@mvm-ci/sdk/guest';
${additions.map((one) => (one === 'extras' ? "import '@mvm-ci/sdk/extras';" : nodeGlobalText(one))).join('\n')}
import * as workflows from 'mvm:workflows';
defineWorkflows(workflows, ${JSON.stringify(name)});
`;

/** What the author's sources, or a package's, have words for: that one means something else costs memory alone. */
const additionsFor = async (inputs: readonly string[], folder: string): Promise<readonly Addition[]> => {
  const paths = inputs
    .map((input) => join(folder, input))
    .filter((path) => !isInSdk(path) && path !== join(folder, entryName));
  // What is left out of a bundle has a name that is no path.
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')));
  const found = new Set<Addition>(texts.flatMap((text) => nodeGlobalsIn(text)));
  if (texts.some((text) => extraNames.test(text))) found.add('extras');
  return order.filter((addition) => found.has(addition));
};

const order: readonly Addition[] = ['extras', 'process', 'buffer'];

// Always the builder's SDK, wherever the author's folder lies: it is the guest's half of this system's own contract.
const resolvePlugin = (entry: string): Plugin => ({
  name: 'mvm-resolve',
  setup(build) {
    build.onResolve({ filter: /^@mvm-ci\/sdk$/ }, () => ({ path: sdkEntry }));
    build.onResolve({ filter: /^@mvm-ci\/sdk\/guest$/ }, () => ({ path: sdkGuest }));
    build.onResolve({ filter: /^@mvm-ci\/sdk\/extras$/ }, () => ({ path: sdkExtras }));
    build.onResolve({ filter: /^@mvm-ci\/sdk\/node-globals$/ }, () => ({ path: sdkNodeGlobals }));
    build.onResolve({ filter: /^mvm:workflows$/ }, () => ({ path: entry }));
  },
});

const isBuildFailure = (error: unknown): error is BuildFailure =>
  error instanceof Error && 'errors' in error && Array.isArray(error.errors);

const buildError = (messages: readonly Message[], folder: string): MvmError => {
  const errors = messages.map(({ text, location }) => ({
    text,
    ...(location && {
      file: portablePath(join(folder, location.file), folder),
      line: location.line,
      column: location.column + 1,
      lineText: location.lineText,
    }),
  }));
  const lines = errors.map(({ text, file, line, column }) =>
    file === undefined ? text : `${file}:${line}:${column}: ${text}`,
  );
  return mvmError('BUILD_FAILED', lines.join('\n'), { errors });
};

const mapSchema = z.looseObject({ sources: z.array(z.string()), sourcesContent: z.array(z.string().nullable()) });

const portableMap = (json: string, folder: string): string => {
  const value: unknown = JSON.parse(json);
  const map = mapSchema.parse(value);
  const sources = map.sources.map((source) => portablePath(join(folder, source), folder));
  // The SDK's sources, and what stands for Node's modules, are this system's own: three quarters of the map, and of no use to an author.
  const sourcesContent = map.sourcesContent.map((text, index) => (isOurs(sources[index] ?? '') ? null : text));
  return JSON.stringify({ ...map, sources, sourcesContent });
};

const isInSdk = (path: string): boolean => !relative(dirname(sdkEntry), path).startsWith('..');

const isOurs = (source: string): boolean => source.startsWith('@mvm-ci/sdk/') || source.startsWith('mvm-node');

/** A source's name for people: relative to the folder, or what it is called in its package. */
const portablePath = (path: string, folder: string): string => {
  const sdk = relative(dirname(sdkEntry), path);
  if (!sdk.startsWith('..')) return posix.join('@mvm-ci/sdk', toPosix(sdk));
  const inside = toPosix(relative(folder, path));
  const modules = inside.lastIndexOf('node_modules/');
  return modules < 0 ? inside : inside.slice(modules);
};

const toPosix = (path: string): string => path.split(sep).join('/');

/**
 * Bundles a workflow with the SDK into one script (esbuild). The bundle and its source map depend on the sources alone:
 * no path of this machine, no time, no random names, so that the same sources have the same hash everywhere.
 */
import { readFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { dirname, join, posix, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mvmError, type MvmError } from '@mvm-ci/protocol';
import { context, type BuildFailure, type BuildOptions, type Message, type Plugin } from 'esbuild';
import { z } from 'zod';
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

/** What `@mvm-ci/sdk/extras` brings, by the words for it. */
const extraNames = /\b(?:Blob|File|FormData|getReader|blob|subtle|CryptoKey|(?:to|from)(?:Base64|Hex))\b|\.body\b/;

/**
 * Bundles `source`. Sources that speak of what `extras.ts` of the SDK brings are bundled a second time, with it.
 *
 * @throws {MvmError} `BUILD_FAILED` with file, line and column of each error in `details.errors`.
 * @throws {MvmError} `CANCELLED` when `signal` aborts.
 */
export const bundle = async (source: ScriptSource, signal?: AbortSignal): Promise<Bundle> => {
  const plain = await bundleWith(optionsFor(source, false), source, signal);
  if (!(await speaksOfExtras(plain.inputs, source.folder))) return plain.bundle;
  return (await bundleWith(optionsFor(source, true), source, signal)).bundle;
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

const optionsFor = ({ folder, entry, name }: ScriptSource, hasExtras: boolean): BuildOptions => ({
  stdin: { contents: entryText(name, hasExtras), resolveDir: folder, sourcefile: entryName, loader: 'js' },
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
  define: { 'process.env.NODE_ENV': '"production"' },
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
const entryText = (name: string, hasExtras: boolean): string => `
import { defineWorkflows } from '@mvm-ci/sdk/guest';
${hasExtras ? "import '@mvm-ci/sdk/extras';" : ''}
import * as workflows from 'mvm:workflows';
defineWorkflows(workflows, ${JSON.stringify(name)});
`;

/** Whether the author's sources, or a package's, have one of the words: that it means something else costs memory alone. */
const speaksOfExtras = async (inputs: readonly string[], folder: string): Promise<boolean> => {
  const paths = inputs
    .map((input) => join(folder, input))
    .filter((path) => !isInSdk(path) && path !== join(folder, entryName));
  // What is left out of a bundle has a name that is no path.
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8').catch(() => '')));
  return texts.some((text) => extraNames.test(text));
};

// Always the builder's SDK, wherever the author's folder lies: it is the guest's half of this system's own contract.
const resolvePlugin = (entry: string): Plugin => ({
  name: 'mvm-resolve',
  setup(build) {
    build.onResolve({ filter: /^@mvm-ci\/sdk$/ }, () => ({ path: sdkEntry }));
    build.onResolve({ filter: /^@mvm-ci\/sdk\/guest$/ }, () => ({ path: sdkGuest }));
    build.onResolve({ filter: /^@mvm-ci\/sdk\/extras$/ }, () => ({ path: sdkExtras }));
    build.onResolve({ filter: /^mvm:workflows$/ }, () => ({ path: entry }));
  },
});

const nodePlugin: Plugin = {
  name: 'mvm-no-node',
  setup(build) {
    const names = builtinModules.filter((name) => !name.startsWith('_')).map((name) => name.replaceAll('/', '\\/'));
    build.onResolve({ filter: new RegExp(`^(node:.*|${names.join('|')})$`) }, async (request) => {
      if (request.pluginData === skipped) return undefined;
      const { path, resolveDir, kind, importer } = request;
      // An npm package may have a built-in module's name ("punycode", "events").
      const options = { resolveDir, kind, importer, pluginData: skipped };
      const found = path.startsWith('node:') ? undefined : await build.resolve(path, options);
      if (found && found.errors.length === 0) return { path: found.path };
      if (isInPackage(importer)) return { path, namespace: absentNamespace };
      return { errors: [{ text: `"${path}" is a module of Node, which a workflow can't import (${nodeHint})` }] };
    });
    build.onLoad({ filter: /.*/, namespace: absentNamespace }, ({ path }) => ({ contents: absentModule(path) }));
  },
};

const nodeHint = 'a workflow has no files, processes or sockets: use fetch and the SDK, or do it in a plain handler';
const absentNamespace = 'mvm-absent';

const isInPackage = (importer: string): boolean => toPosix(importer).includes('/node_modules/');

/**
 * What a package gets that imports a module of Node: many do so for what a workflow never calls. Whatever is taken out of it throws; names
 * are looked up in its prototype, where esbuild's import of a CommonJS module looks as well.
 */
const absentModule = (name: string): string => `
module.exports = Object.create(new Proxy({}, {
  get(_, part) {
    if (typeof part === 'symbol' || part === '__esModule' || part === 'then') return undefined;
    throw new Error('a package uses ' + part + ' of "${name}", a module of Node (${nodeHint})');
  },
}));
`;

const skipped = Symbol('skipped');

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
  // The SDK's sources are this system's own: three quarters of the map, and of no use to an author.
  const sourcesContent = map.sourcesContent.map((text, index) => (isSdk(sources[index] ?? '') ? null : text));
  return JSON.stringify({ ...map, sources, sourcesContent });
};

const isInSdk = (path: string): boolean => !relative(dirname(sdkEntry), path).startsWith('..');

const isSdk = (source: string): boolean => source.startsWith('@mvm-ci/sdk/');

/** A source's name for people: relative to the folder, or what it is called in its package. */
const portablePath = (path: string, folder: string): string => {
  const sdk = relative(dirname(sdkEntry), path);
  if (!sdk.startsWith('..')) return posix.join('@mvm-ci/sdk', toPosix(sdk));
  const inside = toPosix(relative(folder, path));
  const modules = inside.lastIndexOf('node_modules/');
  return modules < 0 ? inside : inside.slice(modules);
};

const toPosix = (path: string): string => path.split(sep).join('/');

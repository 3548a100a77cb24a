/**
 * Modules and globals of Node in a workflow. Those that are pure (paths, events, bytes, …) are bundled in their builds for browsers; of the others a package gets
 * a stub, since many import what a workflow never calls, and the author's own sources are refused. Globals are made only where a source needs them: every guest holds a copy of
 * what its script brings along.
 */
import { readFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { isAbsolute } from 'node:path';
import type { Plugin } from 'esbuild';

/** Node's modules that have a build for browsers. */
const pure: ReadonlySet<string> = new Set([
  'assert',
  'buffer',
  'events',
  'path',
  'punycode',
  'querystring',
  'string_decoder',
  'url',
  'util',
]);

const aliases: Readonly<Record<string, string>> = { 'assert/strict': 'assert', 'path/posix': 'path', sys: 'util' };

/** Where the builds for browsers lie; the package gives Node its own. */
const browserFolder = new URL('../browser/', import.meta.resolve('@jspm/core/nodelibs/util'));
/** The file of that package that makes a `process`, which waits by timers: ours takes its place. */
const processFile = 'chunk-DEMDiNwt.js';
const processText = `export { process as p } from '@mvm-ci/sdk/node-globals';`;

/** A global of Node that a bundle can be given. */
export type NodeGlobal = 'buffer' | 'process';

/** What `text`, a source, needs of Node's globals. One that asks whether there is a `Buffer` or a `process` does without. */
export const nodeGlobalsIn = (text: string): readonly NodeGlobal[] => {
  const usesBuffer = /(?<![\w$.])(?:Buffer\s*\.\s*(?!isBuffer\b)\w|new Buffer\b)/.test(text);
  const needsBuffer = usesBuffer && !/typeof Buffer\b|globalThis\.Buffer\b|\b(?:var|let|const) Buffer\b/.test(text);
  const needsProcess =
    /(?<![\w$.])process\s*\??\.\s*(?!env\.NODE_ENV\b)[a-z]/.test(text) &&
    !/typeof process\b|globalThis\.process\b/.test(text);
  const needsImmediate = /\b(?:set|clear)Immediate\b/.test(text);
  return [
    ...(needsBuffer ? (['buffer'] as const) : []),
    ...(needsProcess || needsImmediate ? (['process'] as const) : []),
  ];
};

/** The text that makes a global, for a bundle's entry. */
export const nodeGlobalText = (name: NodeGlobal): string =>
  name === 'buffer' ? `import 'mvm:node-global/buffer';` : `import '@mvm-ci/sdk/node-globals';`;

/** See the head of this file. */
export const nodePlugin: Plugin = {
  name: 'mvm-node',
  setup(build) {
    const names = builtinModules.filter((name) => !name.startsWith('_')).map((name) => name.replaceAll('/', '\\/'));
    build.onResolve({ filter: new RegExp(`^(node:.*|${names.join('|')})$`) }, async (request) => {
      if (request.pluginData === skipped) return undefined;
      const { path, resolveDir, kind, importer } = request;
      // An npm package may have a built-in module's name ("punycode", "events").
      const options = { resolveDir, kind, importer, pluginData: skipped };
      const found = path.startsWith('node:') ? undefined : await build.resolve(path, options);
      if (found && found.errors.length === 0)
        // The package's own `browser` field leaves it out.
        return isAbsolute(found.path) ? { path: found.path } : { path, namespace: emptyNamespace };
      const name = path.replace(/^node:/, '');
      const bundled = aliases[name] ?? name;
      if (bundled === 'process' || pure.has(bundled)) return { path: bundled, namespace: pureNamespace };
      if (isInPackage(importer)) return { path, namespace: absentNamespace };
      return { errors: [{ text: `"${path}" is a module of Node, which a workflow can't import (${nodeHint})` }] };
    });
    build.onResolve({ filter: /^mvm:node-global\/buffer$/ }, ({ path }) => ({ path, namespace: pureNamespace }));
    build.onResolve({ filter: /^mvm:node-build\// }, ({ path }) => ({
      path: `${path.slice('mvm:node-build/'.length)}.js`,
      namespace: buildNamespace,
    }));
    build.onResolve({ filter: /^\.\//, namespace: buildNamespace }, ({ path }) => ({
      path: path.slice(2),
      namespace: buildNamespace,
    }));
    build.onLoad({ filter: /.*/, namespace: buildNamespace }, async ({ path }) => ({
      contents: path === processFile ? processText : await readFile(new URL(path, browserFolder), 'utf8'),
    }));
    build.onLoad({ filter: /.*/, namespace: pureNamespace }, ({ path }) => ({ contents: pureModule(path) }));
    build.onLoad({ filter: /.*/, namespace: emptyNamespace }, () => ({ contents: 'module.exports = {};' }));
    build.onLoad({ filter: /.*/, namespace: absentNamespace }, ({ path }) => ({ contents: absentModule(path) }));
  },
};

const nodeHint = 'a workflow has no files, processes or sockets: use fetch and the SDK, or do it in a plain handler';
const absentNamespace = 'mvm-absent';
const pureNamespace = 'mvm-node';
const emptyNamespace = 'mvm-empty';
// No path of this machine: a name that stays in the bundle.
const buildNamespace = 'mvm-node-build';

const isInPackage = (importer: string): boolean => importer.replaceAll('\\', '/').includes('/node_modules/');

/**
 * What a package gets that imports a module of Node: whatever is taken out of it throws. Names
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

// CommonJS, so that a name that the build for browsers lacks is no error when a workflow is built.
const pureModule = (name: string): string => {
  if (name === 'mvm:node-global/buffer')
    return `Object.defineProperty(globalThis, 'Buffer', { value: require('mvm:node-build/buffer').Buffer, writable: true, configurable: true });`;
  if (name === 'process') return `module.exports = require('@mvm-ci/sdk/node-globals').process;`;
  return `module.exports = require('mvm:node-build/${name}').default;`;
};

const skipped = Symbol('skipped');

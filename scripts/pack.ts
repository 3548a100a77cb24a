/**
 * `npm run pack [-- FOLDER]`: packs what programs outside of this repository import, as `NAME-VERSION.tgz` in the folder (default: `dist`).
 *
 * 1. Packed are the packages below and those that they need, and no tests.
 * 2. They are JavaScript with declarations: Node strips no types of files in `node_modules`.
 * 3. In the folder only files of these names are written; what is built on the way is in a folder for temporary files.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const packedInto = resolve(process.argv[2] ?? join(root, 'dist'));
const nodeRange = '>=26';
const wanted = ['client', 'sdk', 'worker'];

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports: unknown;
  readonly imports?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: unknown;
}

const isManifest = (value: unknown): value is Manifest =>
  typeof value === 'object' && value !== null && 'name' in value;

const manifestOf = (folder: string): Manifest => {
  const manifest: unknown = JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8'));
  if (isManifest(manifest)) return manifest;
  throw new Error(`packages/${folder}/package.json is no manifest`);
};

/** `folders` and those of our packages that they need. */
const withNeeded = (folders: readonly string[], found: Set<string> = new Set()): ReadonlySet<string> => {
  for (const folder of folders) {
    if (found.has(folder)) continue;
    found.add(folder);
    const ours = Object.keys(manifestOf(folder).dependencies ?? {}).filter((name) => name.startsWith('@mvm-ci/'));
    withNeeded(
      ours.map((name) => name.slice('@mvm-ci/'.length)),
      found,
    );
  }
  return found;
};

const compile = (folders: Iterable<string>, build: string): void => {
  const config = join(build, 'tsconfig.json');
  const compilerOptions = {
    noEmit: false,
    allowImportingTsExtensions: false,
    rewriteRelativeImportExtensions: true,
    rootDir: join(root, 'packages'),
    outDir: build,
    typeRoots: [join(root, 'node_modules/@types')],
  };
  const include = [...folders].map((folder) => join(root, 'packages', folder, 'src'));
  writeFileSync(
    config,
    JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include, exclude: [] }),
  );
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  execFileSync(process.execPath, [compiler, '-p', config], { stdio: 'inherit' });
};

/** Paths of sources become those of what was made of them. */
const built = (value: unknown): unknown => {
  if (typeof value === 'string') return value.replace(/(?<!\.d)\.ts$/, '.js');
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, built(part)]));
};

// The compiler leaves the extension of a source in declarations, where not every bundler's resolution finds it.
const nameDeclarations = (folder: string): void => {
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.d.ts')) continue;
    const file = join(folder, path);
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replaceAll(/(from |import\()(['"]\.[^'"]*)\.ts(?=['"])/g, '$1$2.js'));
  }
};

const pack = (folder: string, build: string): string => {
  const from = join(root, 'packages', folder);
  const to = join(build, folder);
  nameDeclarations(join(to, 'src'));
  const { private: _private, devDependencies: _tests, ...manifest } = manifestOf(folder);
  const paths = { exports: built(manifest.exports), ...(manifest.imports ? { imports: built(manifest.imports) } : {}) };
  writeFileSync(
    join(to, 'package.json'),
    `${JSON.stringify({ ...manifest, ...paths, engines: { node: nodeRange } }, undefined, 2)}\n`,
  );
  cpSync(join(root, 'LICENSE'), join(to, 'LICENSE'));
  if (existsSync(join(from, 'ambient'))) cpSync(join(from, 'ambient'), join(to, 'ambient'), { recursive: true });
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  return execFileSync(npm, ['pack', '--silent', '--pack-destination', packedInto], {
    cwd: to,
    encoding: 'utf8',
  }).trim();
};

const folders = withNeeded(wanted);
const build = mkdtempSync(join(tmpdir(), 'mvm-ci-pack-'));
try {
  mkdirSync(packedInto, { recursive: true });
  compile(folders, build);
  for (const folder of folders) {
    process.stdout.write(`${relative(process.cwd(), join(packedInto, pack(folder, build)))}\n`);
  }
} finally {
  rmSync(build, { recursive: true });
}

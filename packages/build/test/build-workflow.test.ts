import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeModule, MvmError } from '@mvm-ci/protocol';
import { wasmFromText } from '@mvm-ci/testkit';
import { buildWorkflow, guestRuntime } from '../src/index.ts';

const folders: string[] = [];
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

/** A folder with these files. */
const folderWith = async (files: Readonly<Record<string, string>>): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'mvm-build-'));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text, path.endsWith('.wasm') ? 'latin1' : 'utf8');
  }
  return folder;
};

const manifest = '{ "name": "@team/hello", "version": "1.2.3", "type": "module" }';

const failureOf = async (files: Readonly<Record<string, string>>): Promise<MvmError> => {
  const folder = await folderWith(files);
  try {
    await buildWorkflow({ folder });
  } catch (error) {
    assert.ok(error instanceof MvmError, String(error));
    assert.ok(!error.message.includes(folder), `no machine path in: ${error.message}`);
    return error;
  }
  throw new assert.AssertionError({ message: 'the build succeeded' });
};

const example = (name: string): string => fileURLToPath(new URL(`../../../examples/${name}`, import.meta.url));

describe('buildWorkflow', () => {
  it('bundles the workflow in a folder, named and versioned by its package.json', async () => {
    const folder = await folderWith({
      'package.json': manifest,
      'src/hello.ts': `
        import { sleep } from '@mvm-ci/sdk';
        export const limit = 3;
        export const second = async (): Promise<void> => sleep(1);
        export async function hello(name: string): Promise<string> { return name; }`,
    });
    const built = await buildWorkflow({ folder });
    assert.deepEqual([built.name, built.version], ['hello', '1.2.3']);
    assert.deepEqual(built.file.workflows, ['hello', 'second']);
    assert.equal(built.file.runtime, guestRuntime);
    assert.deepEqual(decodeModule(built.bytes), built.file);
    assert.match(built.hash, /^[\da-f]{64}$/);
  });

  it('brings along what few workflows use for those that speak of it, in their own sources or in a package', async () => {
    const source = 'export const flow = async () => typeof globalThis.FormData;';
    const hasForms = async (files: Readonly<Record<string, string>>): Promise<boolean> => {
      const { file } = await buildWorkflow({ folder: await folderWith({ 'package.json': manifest, ...files }) });
      return new TextDecoder().decode(file.code).includes('multipart/form-data');
    };
    assert.equal(await hasForms({ 'src/hello.ts': source }), true);
    assert.equal(await hasForms({ 'src/hello.ts': 'export const flow = async () => "forms";' }), false);
    const imports = "import { send } from 'poster'; export const flow = async () => send();";
    const poster = {
      'node_modules/poster/package.json': '{ "name": "poster", "type": "module", "main": "index.js" }',
      'node_modules/poster/index.js': 'export const send = () => new FormData();',
    };
    assert.equal(await hasForms({ 'src/hello.ts': imports, ...poster }), true);
  });

  it('takes a package that imports a module of Node, and tells what of it was used when it is', async () => {
    const packaged = (index: string): Readonly<Record<string, string>> => ({
      'package.json': manifest,
      'src/hello.ts': "import { ready } from 'nodish'; export const flow = async () => ready;",
      'node_modules/nodish/package.json': '{ "name": "nodish", "type": "module", "main": "index.js" }',
      'node_modules/nodish/index.js': index,
    });
    const unused =
      "import { createHash } from 'node:crypto'; export const ready = true; export const hash = () => createHash('x');";
    const { file } = await buildWorkflow({ folder: await folderWith(packaged(unused)) });
    assert.deepEqual(file.workflows, ['flow']);
    const uses = {
      named: "import { createHash } from 'node:crypto'; export const ready = createHash('x');",
      whole: "import crypto from 'node:crypto'; export const ready = crypto.createHash('x');",
      all: "import * as crypto from 'crypto'; export const ready = crypto.createHash('x');",
    };
    for (const [name, index] of Object.entries(uses)) {
      const { code, message } = await failureOf(packaged(index));
      assert.equal(code, 'MODULE_LOAD_FAILED', name);
      assert.match(message, /Error: a package uses createHash of "(node:)?crypto", a module of Node/);
    }
  });

  it('takes the place of files that a package names for browsers', async () => {
    const folder = await folderWith({
      'package.json': manifest,
      'src/hello.ts': "import { place } from 'two'; export const flow = async () => place;",
      'node_modules/two/package.json':
        '{ "name": "two", "type": "module", "main": "index.js", "browser": { "./node.js": "./page.js" } }',
      'node_modules/two/index.js': "export { place } from './node.js';",
      'node_modules/two/node.js': "export const place = 'from node';",
      'node_modules/two/page.js': "export const place = 'from a page';",
    });
    const { file } = await buildWorkflow({ folder });
    assert.match(new TextDecoder().decode(file.code), /from a page/);
  });

  it('names a default export by the module', async () => {
    const folder = await folderWith({ 'package.json': manifest, 'index.js': 'export default async () => 1;' });
    assert.deepEqual((await buildWorkflow({ folder })).file.workflows, ['hello']);
  });

  it('builds one file by itself', async () => {
    const folder = await folderWith({ 'greet.ts': 'export const greet = (): string => "hi";' });
    const built = await buildWorkflow({ entry: join(folder, 'greet.ts') });
    assert.deepEqual([built.name, built.version, built.file.workflows], ['greet', '0.0.0', ['greet']]);
    assert.equal((await buildWorkflow({ folder: join(folder, 'greet.ts') })).hash, built.hash);
  });

  it('gives the same sources the same hash, wherever they lie', async () => {
    const [first, second] = [await folderWith({}), await folderWith({})];
    await cp(example('01-crawler'), first, { recursive: true });
    await mkdir(join(second, 'deep/er'), { recursive: true });
    await cp(example('01-crawler'), join(second, 'deep/er'), { recursive: true });
    await symlink(first, join(second, 'link'));
    const built = [first, join(second, 'link'), join(second, 'deep/er'), example('01-crawler')].map((folder) =>
      buildWorkflow({ folder }),
    );
    const hashes = (await Promise.all(built)).map(({ hash }) => hash);
    assert.equal(new Set(hashes).size, 1, String(hashes));
  });

  it('puts the author’s sources into the source map, by their places in the folder', async () => {
    const { file } = await buildWorkflow({ folder: example('01-crawler') });
    const map: unknown = JSON.parse(new TextDecoder().decode(file.sourceMap));
    assert.ok(typeof map === 'object' && map !== null && 'sources' in map && Array.isArray(map.sources));
    assert.ok(map.sources.includes('src/crawler.ts') && map.sources.includes('src/html.ts'));
    assert.ok(map.sources.every((source) => !String(source).startsWith('/') && !String(source).includes('..')));
  });

  it('runs the build step of a core module', async () => {
    const { file, name } = await buildWorkflow({ folder: example('02-core-assemblyscript') });
    assert.deepEqual([name, file.kind, file.runtime, file.workflows], ['core-fetches', 'core', '', ['three_fetches']]);
    assert.deepEqual([...file.code.subarray(0, 8)], [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  });
});

describe('a build that fails', () => {
  it('names file, line and column of a syntax error', async () => {
    const error = await failureOf({
      'package.json': manifest,
      'src/index.ts': 'export const a = 1;\nexport const b = (;\n',
    });
    assert.equal(error.code, 'BUILD_FAILED');
    assert.match(error.message, /^src\/index\.ts:2:19: /);
    assert.partialDeepStrictEqual(error.details, {
      errors: [{ file: 'src/index.ts', line: 2, column: 19, lineText: 'export const b = (;' }],
    });
  });

  it('says which import it could not find', async () => {
    const error = await failureOf({
      'package.json': manifest,
      'index.ts': "import './gone.ts';\nexport const a = () => 1;",
    });
    assert.match(error.message, /^index\.ts:1:8: Could not resolve "\.\/gone\.ts"/);
  });

  for (const name of ['node:fs', 'fs', 'child_process']) {
    it(`refuses ${name}, and says what to use`, async () => {
      const error = await failureOf({ 'package.json': manifest, 'index.ts': `import ${JSON.stringify(name)};` });
      assert.equal(error.code, 'BUILD_FAILED');
      assert.match(error.message, new RegExp(`^index\\.ts:1:8: "${name}" is a module of Node.*use fetch`));
    });
  }

  it('names the author’s line of what throws at load', async () => {
    const error = await failureOf({
      'package.json': manifest,
      'index.ts':
        'interface Config { readonly a: string }\nexport const run = () => 1;\nthrow new RangeError("no config");\n',
    });
    assert.equal(error.code, 'MODULE_LOAD_FAILED');
    assert.match(error.message, /index\.ts:3:\d+: RangeError: no config/);
  });

  it('refuses a module without workflows, and calls at load', async () => {
    const none = await failureOf({ 'package.json': manifest, 'index.ts': 'export const a = 1;' });
    assert.match(none.message, /must export at least one function/);
    const early = await failureOf({
      'package.json': manifest,
      'index.ts': "import { job } from '@mvm-ci/sdk'; export const id = job().id;",
    });
    assert.match(early.message, /while the module was loaded: call it inside a workflow/);
  });

  it('gives up on a script that loads for ever', { timeout: 60_000 }, async () => {
    const error = await failureOf({ 'package.json': manifest, 'index.ts': 'for (;;) {}\nexport const a = () => 1;' });
    assert.equal(error.code, 'MODULE_LOAD_FAILED');
    assert.match(error.message, /more than 5000 ms/);
  });

  it('says what is wrong with a folder', async () => {
    await assert.rejects(buildWorkflow({ folder: '/nowhere/at/all' }), { code: 'BUILD_FAILED' });
    assert.match((await failureOf({ 'package.json': '{' })).message, /package\.json is not valid/);
    assert.match((await failureOf({ 'package.json': '{"version": 3}' })).message, /version/);
    assert.match(
      (await failureOf({ 'package.json': '{"main": "x.ts"}' })).message,
      /"x\.ts", and there is no such file/,
    );
  });

  it('shows the output of a build step that fails', async () => {
    const error = await failureOf({
      'package.json': `{ "name": "c", "scripts": { "make": "echo broken compiler; exit 3" },
        "mvm": { "kind": "core", "wasm": "c.wasm", "workflows": ["c"], "build": "make" } }`,
    });
    assert.equal(error.code, 'BUILD_FAILED');
    assert.match(error.message, /"npm run make" failed:[^]*broken compiler/);
  });

  it('is cancelled by its signal', async () => {
    const signal = AbortSignal.abort();
    await assert.rejects(buildWorkflow({ folder: example('01-crawler'), signal }), { code: 'CANCELLED' });
  });
});

describe('a WebAssembly binary', () => {
  const text = {
    core: '(module (memory (export "memory") 1) (func (export "mvm_step")))',
    wasi: '(module (memory (export "memory") 1) (func (export "_start")))',
    flawless: `(module (memory (export "memory") 1) (func (export "#flawless#module#shop%_#_%1.2.3"))
      (func (export "#flawless#workflow#run#order")) (func (export "#flawless#workflow#run#return")))`,
    library: '(module (memory (export "memory") 1) (func (export "_initialize")) (func (export "add")))',
  };
  const wasm = async (kind: keyof typeof text): Promise<string> =>
    Buffer.from(await wasmFromText(text[kind])).toString('latin1');

  it('is built by itself: its exports tell its kind, its file or the binary its names', async () => {
    const build = async (kind: keyof typeof text): Promise<unknown> => {
      const folder = await folderWith({ 'orders.wasm': await wasm(kind) });
      const { name, version, file } = await buildWorkflow({ folder: join(folder, 'orders.wasm') });
      return [name, version, file.kind, file.workflows];
    };
    assert.deepEqual(await build('core'), ['orders', '0.0.0', 'core', ['orders']]);
    assert.deepEqual(await build('wasi'), ['orders', '0.0.0', 'wasi', ['orders']]);
    assert.deepEqual(await build('flawless'), ['shop', '1.2.3', 'flawless', ['order', 'return']]);
  });

  it('is named by a package.json, which may say how it reads its input', async () => {
    const mvm = { kind: 'wasi', wasm: 'out/sql.wasm', workflows: ['sql'], input: 'text' };
    const folder = await folderWith({
      'package.json': JSON.stringify({ name: 'sql-shell', version: '3.0.0', mvm }),
      'out/sql.wasm': await wasm('wasi'),
    });
    const { name, version, file } = await buildWorkflow({ folder });
    assert.deepEqual(
      [name, version, file.kind, file.runtime, file.workflows],
      ['sql-shell', '3.0.0', 'wasi', 'text', ['sql']],
    );
  });

  it('is refused when it is of another kind than its package.json says, or of none', async () => {
    const stated = { 'package.json': JSON.stringify({ mvm: { kind: 'core', wasm: 'a.wasm', workflows: ['a'] } }) };
    assert.match(
      (await failureOf({ ...stated, 'a.wasm': await wasm('wasi') })).message,
      /"core", its binary is "wasi"/,
    );
    assert.match(
      (await failureOf({ ...stated, 'a.wasm': await wasm('library') })).message,
      /this one exports memory, _initialize, add \(a WASI library/,
    );
    assert.match((await failureOf({ ...stated, 'a.wasm': 'hello' })).message, /not a valid WebAssembly module/);
    const component = '\0asm\x0d\0\x01\0';
    assert.match(
      (await failureOf({ ...stated, 'a.wasm': component })).message,
      /a WebAssembly component, not a core module/,
    );
  });
});

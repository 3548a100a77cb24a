/** Modules and globals of Node in a workflow: the pure ones do there what they do in Node. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, it } from 'node:test';
import { buildWorkflow } from '../src/index.ts';
import { nodeGlobalsIn } from '../src/node-modules.ts';
import { QuickJsGuest } from './quickjs-guest.ts';

const runs = [
  'Buffer.from("aß€😀").toString("base64")',
  'Buffer.from("YcOf", "base64").toString("hex")',
  '[...Buffer.alloc(3, 1)]',
  'Buffer.concat([Buffer.from("a"), Uint8Array.of(98)]).toString()',
  'Buffer.byteLength("ß")',
  'Buffer.from([1, 2, 3]).readUInt16BE(1)',
  'Buffer.isBuffer(new Uint8Array(1))',
  'Buffer.from("ab").equals(Buffer.from("ab"))',
  'JSON.stringify(Buffer.from("a"))',
  'path.join("a", "..", "b/c.txt")',
  'path.extname("a.tar.gz")',
  'path.relative("/a/b", "/a/c")',
  'path.posix.parse("/a/b.c")',
  'util.format("%s %d %j %%", "a", 1, { b: [1] })',
  'util.inspect({ a: 1, b: ["c"] })',
  'util.types.isDate(new Date())',
  'await util.promisify((value, done) => done(null, value + 1))(1)',
  'await new Promise((resolve) => util.callbackify(async () => 7)((_, value) => resolve(value)))',
  'querystring.stringify({ a: "b c", d: [1, 2] })',
  'querystring.parse("a=1&a=2&b=%20").a',
  'url.parse("http://a.example:81/b?c=d#e").pathname',
  'url.resolve("http://a/b/c", "../d")',
  'new StringDecoder("utf8").write(Buffer.from([0xe2, 0x82])) + "|"',
  'thrown(() => assert.deepStrictEqual({ a: 1 }, { a: 2 }))',
  'thrown(() => assert.equal(1, 1))',
  'await (async () => { const one = new EventEmitter(); const told = once(one, "a"); one.emit("a", 5); return told; })()',
  'await new Promise((resolve) => setImmediate(resolve, 5))',
  'await new Promise((resolve) => process.nextTick(resolve, 6))',
  'typeof process.env',
  'process.cwd().startsWith("/")',
  'global === globalThis',
];

const source = `
import assert from 'node:assert';
import { Buffer } from 'node:buffer';
import EventEmitter, { once } from 'node:events';
import path from 'node:path';
import process from 'node:process';
import * as querystring from 'node:querystring';
import { StringDecoder } from 'node:string_decoder';
import url from 'node:url';
import util from 'node:util';
const thrown = (run) => { try { run(); return 'nothing'; } catch (error) { return error.code ?? error.name; } };
export const flow = async () => [${runs.map((run) => `\n  ${run}`).join(',')}];
`;

/** Builds the files' `flow.mjs` and runs it. */
const resultOf = async (
  files: Readonly<Record<string, string>>,
): Promise<{ readonly code: string; readonly last: unknown }> => {
  const folder = await mkdtemp(join(tmpdir(), 'mvm-node-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    const { file } = await buildWorkflow({ entry: join(folder, 'flow.mjs') });
    const code = new TextDecoder().decode(file.code);
    assert.ok(!code.includes(folder) && !code.includes('@jspm'), 'no path of this machine');
    using guest = await QuickJsGuest.load(code);
    const [last, ...more] = guest.start('flow', null);
    assert.deepEqual(more, [], 'it waits for nothing');
    return { code, last };
  } finally {
    await rm(folder, { recursive: true });
  }
};

const inNode = async (): Promise<unknown> => {
  const folder = await mkdtemp(join(tmpdir(), 'mvm-node-'));
  try {
    const path = join(folder, 'flow.mjs');
    await writeFile(path, source);
    const made: { readonly flow: () => Promise<unknown> } = await import(pathToFileURL(path).href);
    const result: unknown = JSON.parse(JSON.stringify(await made.flow()));
    return result;
  } finally {
    await rm(folder, { recursive: true });
  }
};

describe('a module of Node in a workflow', { timeout: 120_000 }, () => {
  it('does what it does in Node, when it is one that needs no machine', async () => {
    const { last } = await resultOf({ 'flow.mjs': source });
    const expected = await inNode();
    assert.ok(Array.isArray(expected));
    assert.deepEqual(last, { type: 'complete', result: expected });
  });

  it('is there for a package by either name, and by import and require', async () => {
    const { last } = await resultOf({
      'flow.mjs': `import one from 'one'; import { two } from 'two'; export const flow = () => [one, two];`,
      'node_modules/one/package.json': '{ "name": "one", "version": "1.0.0", "main": "one.js" }',
      'node_modules/one/one.js': `
        const EventEmitter = require('events'); const { join } = require('path'); const util = require('node:util');
        class Mine extends EventEmitter {}
        module.exports = [new Mine() instanceof EventEmitter.EventEmitter, join('a', 'b'), util.format('%s', 1)];`,
      'node_modules/two/package.json': '{ "name": "two", "version": "1.0.0", "type": "module", "main": "two.js" }',
      'node_modules/two/two.js': `
        import { EventEmitter } from 'events'; import { parseArgs, inspect } from 'util'; import * as path from 'path';
        export const two = [typeof EventEmitter, inspect([1]), path.basename('a/b'), typeof parseArgs];`,
    });
    const two = ['function', '[ 1 ]', 'b', 'undefined'];
    assert.deepEqual(last, { type: 'complete', result: [[true, 'a/b', '1'], two] });
  });

  it('is empty for a package that leaves it out for browsers', async () => {
    const { last } = await resultOf({
      'flow.mjs': `import one from 'one'; export const flow = () => one;`,
      'node_modules/one/package.json':
        '{ "name": "one", "version": "1.0.0", "main": "one.js", "browser": { "fs": false, "buffer": false } }',
      'node_modules/one/one.js': `module.exports = [typeof require('fs').readFileSync, typeof require('buffer').Buffer];`,
    });
    assert.deepEqual(last, { type: 'complete', result: ['undefined', 'undefined'] });
  });
});

describe('a global of Node in a workflow', { timeout: 60_000 }, () => {
  it('is there for those that use it, the author or a package, and for nobody else', async () => {
    const names = `Object.getOwnPropertyNames(globalThis).filter((name) => /^(Buf|proc|setIm)/.test(name)).sort()`;
    const without = await resultOf({ 'flow.mjs': `export const flow = () => ${names};` });
    assert.deepEqual(without.last, { type: 'complete', result: [] });
    const used = await resultOf({
      'flow.mjs': `import one from 'one'; export const flow = () => [...${names}, one, process.env.HOME ?? 'none'];`,
      'node_modules/one/package.json': '{ "name": "one", "version": "1.0.0", "main": "one.js" }',
      'node_modules/one/one.js': `module.exports = Buffer.from('a').toString('hex');`,
    });
    assert.deepEqual(used.last, { type: 'complete', result: ['Buffer', 'process', 'setImmediate', '61', 'none'] });
    assert.ok(used.code.length > without.code.length + 30_000);
  });

  it('is not brought along for a source that asks whether it is there, or means another', () => {
    const needs = (text: string): readonly string[] => nodeGlobalsIn(text);
    assert.deepEqual(needs('Buffer.from("")'), ['buffer']);
    assert.deepEqual(needs('new Buffer(1)'), ['buffer']);
    for (const text of [
      'typeof Buffer === "undefined" ? 1 : Buffer.from("")',
      'globalThis.Buffer?.from',
      'const Buffer = root.Buffer; Buffer.from("")',
      'new ArrayBuffer(1); ArrayBuffer.isView(x); Buffer.isBuffer(x)',
      'process.env.NODE_ENV; process(1); item.process.run()',
      'typeof process === "object" && process.versions',
    ])
      assert.deepEqual(needs(text), [], text);
    assert.deepEqual(needs('process.env.DEBUG'), ['process']);
    assert.deepEqual(needs('process?.env?.DEBUG'), ['process']);
    assert.deepEqual(needs('typeof setImmediate === "function"'), ['process']);
  });
});

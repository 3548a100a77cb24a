import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildWorkflow } from '../src/index.ts';

const folder = fileURLToPath(new URL('../../../examples/02-core-assemblyscript', import.meta.url));

/** Bytes as the specification writes them: numbers little-endian, texts with their length in front. */
const bytes = (...parts: readonly (Buffer | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? str(part) : part)));
const u8 = (value: number): Buffer => Buffer.from([value]);
const u32 = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
};
const f64 = (value: number): Buffer => {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleLE(value);
  return buffer;
};
const str = (text: string): Buffer => Buffer.concat([u32(Buffer.byteLength(text)), Buffer.from(text)]);

const activation = (event: Buffer): Buffer => bytes(u8(1), f64(1_760_000_000_000), u32(1), event);
const started = (input: string): Buffer => bytes(u8(0), 'j1', u32(1), 'three_fetches', input, Buffer.alloc(32, 7));
const fetched = (call: number, status: number, body: string): Buffer =>
  bytes(u8(1), u32(call), u32(status), 'OK', 'http://s/', u8(0), u32(1), 'content-type', 'text/html', body);
const slept = (call: number): Buffer => bytes(u8(2), u32(call));
const failed = (call: number): Buffer => bytes(u8(3), u32(call), 'CONNECTION_LOST', 'gone: ü');

const get = (call: number): Buffer =>
  bytes(u8(0), u32(call), 'GET', 'http://s/ü', u32(0), u8(0), u8(0), u32(120_000), u8(2), u8(0));
const sleep = (call: number, ms: number): Buffer => bytes(u8(1), u32(call), f64(ms));
const progress = (percent: number, text: string): Buffer => bytes(u8(4), f64(percent), text);
const intents = (...list: readonly Buffer[]): Buffer => bytes(u8(1), u32(list.length), ...list);

interface CoreExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly mvm_alloc: (length: number) => number;
  readonly mvm_step: (at: number, length: number) => bigint;
}

const { WebAssembly } = globalThis as unknown as {
  readonly WebAssembly: {
    instantiate(code: Uint8Array): Promise<{ readonly instance: { readonly exports: CoreExports } }>;
  };
};

/** A fresh guest: takes an activation's event, gives the bytes of its intents. */
const loadGuest = async (): Promise<(event: Buffer) => Buffer> => {
  const { file } = await buildWorkflow({ folder });
  const { memory, mvm_alloc: alloc, mvm_step: run } = (await WebAssembly.instantiate(file.code)).instance.exports;
  return (event) => {
    const input = activation(event);
    const at = alloc(input.length);
    new Uint8Array(memory.buffer).set(input, at);
    const packed = BigInt.asUintN(64, run(at, input.length));
    return Buffer.from(
      memory.buffer.slice(Number(packed >> 32n), Number(packed >> 32n) + Number(packed & 0xffff_ffffn)),
    );
  };
};

describe('the core guest in AssemblyScript', { timeout: 120_000 }, () => {
  it('fetches three times with a sleep between, and returns how it was answered', async () => {
    const step = await loadGuest();
    assert.deepEqual(step(started('{"url":"http:\\/\\/s/ü", "pauseMs": 250}')), intents(get(1)));
    assert.deepEqual(step(fetched(1, 200, 'four')), intents(progress(100 / 3, '1 of 3'), sleep(2, 250)));
    assert.deepEqual(step(slept(2)), intents(get(3)));
    assert.deepEqual(step(fetched(3, 404, '')), intents(progress(200 / 3, '2 of 3'), sleep(4, 250)));
    assert.deepEqual(step(slept(4)), intents(get(5)));
    const result = '{"statuses":[200,404,500],"bytes":[4,0,3000]}';
    assert.deepEqual(step(fetched(5, 500, 'x'.repeat(3_000))), intents(progress(100, '3 of 3'), bytes(u8(5), result)));
    assert.deepEqual(step(slept(9)), intents());
  });

  it('fails with the error of a fetch, and without a URL', async () => {
    const step = await loadGuest();
    step(started('{"url":"http://s/ü"}'));
    assert.deepEqual(step(failed(1)), intents(bytes(u8(6), 'CONNECTION_LOST', 'Error', 'gone: ü', '')));
    const other = await loadGuest();
    const expected = bytes(u8(6), 'WORKFLOW_FAILED', 'Error', 'the input must be {"url":"…"}', '');
    assert.deepEqual(other(started('null')), intents(expected));
  });
});

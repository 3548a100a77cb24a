import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { wasmFromText } from '@mvm-ci/testkit';
import { suspendingCall } from '../../../src/guest/blocking/suspending-call.ts';

/** Calls `ask` with each parameter and its double, and tells what it was answered. */
const asking = async (ask: (a: number, b: number) => number | Promise<number>): Promise<Asking> => {
  const wasm = await wasmFromText(`(module
    (import "host" "ask" (func $ask (param i32 i32) (result i32))) (import "host" "tell" (func $tell (param i32)))
    (func (export "run") (param i32) (call $tell (call $ask (local.get 0) (i32.mul (local.get 0) (i32.const 2))))))`);
  const told: number[] = [];
  const host = { ask: suspendingCall(2, ask), tell: (answer: number) => void told.push(answer) };
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(wasm), { host }).exports;
  return { run, told };
};

interface Asking {
  readonly run: unknown;
  readonly told: readonly number[];
}

const isFunction = (value: unknown): value is (value: number) => void => typeof value === 'function';

describe('a call that may have to wait', () => {
  it('is answered on the spot when the answer is here', async () => {
    const { run, told } = await asking((a, b) => a - b);
    const ran = WebAssembly.promising(run)(7);
    assert.deepEqual(told, [-7], 'before anything else could run');
    await ran;
    assert.ok(isFunction(run));
    run(8);
    assert.deepEqual(told, [-7, -8], 'also on a stack that can not be suspended');
  });

  it('suspends the stack until the answer is here', async () => {
    const answers = [Promise.withResolvers<number>(), Promise.withResolvers<number>()];
    const { run, told } = await asking((a) => (a < 2 ? (answers[a]?.promise ?? 0) : a));
    const start = WebAssembly.promising(run);
    const both = [start(0), start(1)];
    await start(2);
    answers[1]?.resolve(11);
    await both[1];
    answers[0]?.resolve(10);
    await both[0];
    assert.deepEqual(told, [2, 11, 10]);
  });

  it('unwinds the stack with the failure of its host, at once or later', async () => {
    const sync = await asking(() => {
      throw new RangeError('no');
    });
    await assert.rejects(WebAssembly.promising(sync.run)(1), RangeError);
    const late = await asking(() => Promise.reject(new RangeError('no')));
    await assert.rejects(WebAssembly.promising(late.run)(1), RangeError);
    assert.deepEqual([sync.told, late.told], [[], []]);
  });
});

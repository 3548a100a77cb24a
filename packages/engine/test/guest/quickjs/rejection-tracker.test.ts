/** Rejections that nothing handles, as the runtime tells a script of them. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { Activation } from '../../../src/run/activation.ts';
import { ScriptRuntime } from '../../../src/guest/quickjs/script-runtime.ts';
import { defaultGuestLimits } from '../../../src/limits.ts';
import { compileQuickjs, guestRuntimes } from '../../../src/system-quickjs.ts';
import { testMetering } from '../../fixtures/test-metering.ts';

const seed = new Uint8Array(32);
const start: Activation = {
  now: 1,
  events: [{ type: 'start', job: 'j', attempt: 1, workflow: 'main', input: 'null', seed }],
};

/** A script whose step does `step()`, and logs what it heard when its promise jobs have run. */
const script = (step: string, listener = 'heard.push(rest.length === 0 ? "handled" : String(rest[0]))'): string => `
  const heard = [];
  globalThis.mvm_workflows = () => '["main"]';
  globalThis.mvm_step = () => { ${step} };
  globalThis.mvm_rejected = (promise, ...rest) => { if (!(promise instanceof Promise)) throw promise; ${listener} };
  globalThis.mvm_flush = () => JSON.stringify(heard.splice(0).map((text) => ({ type: 'log', level: 'info', text })));`;

describe('a rejection in a script', () => {
  let runtime: ScriptRuntime;
  const runtimeOf = async (name?: string): Promise<ScriptRuntime> =>
    new ScriptRuntime({
      module: await compileQuickjs(name),
      limits: defaultGuestLimits,
      metering: testMetering(),
    });
  const heard = (source: string, where: ScriptRuntime = runtime): readonly string[] => {
    const guest = where.open(where.load(source));
    const texts = guest.step(start).map((intent) => (intent.type === 'log' ? intent.text : ''));
    guest.close();
    return texts;
  };

  before(async () => {
    runtime = await runtimeOf();
  });

  it('is told while nothing handles it, whatever made the promise', () => {
    const floating = script(`
      Promise.reject(1);
      new Promise((_, reject) => reject(2));
      (async () => { throw 3; })();
      (async () => { await null; throw 4; })();
      Promise.resolve().then(() => { throw 5; });
      Promise.any([Promise.reject(6)]);`);
    assert.deepEqual(heard(floating), ['1', '2', '3', '6', 'handled', '4', '5', 'AggregateError']);
  });

  it('is not told when something waits for it, and taken back when something does later', () => {
    const waited = script('(async () => { try { await (async () => { await null; throw 1; })(); } catch {} })();');
    assert.deepEqual(heard(waited), []);
    assert.deepEqual(heard(script('const late = Promise.reject(1); late.catch(() => {});')), ['1', 'handled']);
  });

  it('is told in every guest of the script, and to no other script', () => {
    const floating = script('Promise.reject(1);');
    const other = script('Promise.reject(2);').replace('mvm_rejected', 'unheard');
    const [one, two] = [runtime.load(floating), runtime.load(other)];
    for (const [image, count] of [one, two, one, two].map((each) => [each, each === one ? 1 : 0] as const)) {
      const guests = [runtime.open(image), runtime.open(image)];
      for (const guest of guests) assert.equal(guest.step(start).length, count);
      for (const guest of guests) guest.close();
    }
  });

  it('costs a listener that throws nothing but its own line', () => {
    assert.deepEqual(heard(script('Promise.reject(1); heard.push("went on");', 'throw new Error("no");')), ['went on']);
    assert.deepEqual(
      heard(script('Promise.reject(1);', 'if (heard.length < 3) { heard.push("again"); Promise.reject(2); }')),
      ['again', 'again', 'again'],
    );
  });

  it('is told by no build that has no place for a listener', async () => {
    assert.deepEqual(heard(script('Promise.reject(1);'), await runtimeOf(guestRuntimes.at(-1))), []);
  });
});

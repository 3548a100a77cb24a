import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { ScriptRuntime, type ScriptImage } from '../../../src/guest/quickjs/script-runtime.ts';
import { defaultGuestLimits } from '../../../src/limits.ts';
import type { Activation } from '../../../src/run/activation.ts';
import { compileQuickjs, guestRuntimes } from '../../../src/system-quickjs.ts';
import { workflowModule } from '@mvm-ci/testkit';
import { testMetering } from '../../fixtures/test-metering.ts';

const start = (input: unknown, now = 1): Activation => ({
  now,
  events: [
    {
      type: 'start',
      job: 'j',
      attempt: 1,
      workflow: 'main',
      input: JSON.stringify(input),
      seed: new Uint8Array(32).fill(9),
    },
  ],
});

/** Leaves behind whatever a job can without breaking its own end. */
const litter = `
  globalThis.left = 'secret'; Object.prototype.left = 'secret'; Date.left = input; globalThis['g' + input] = 1;
  JSON.parse = () => 'broken'; Math.random = () => 4; Symbol.for('left' + input);
  const keep = []; for (let i = 0; i < 20000; i++) keep[i] = 'secret' + input + i;
  globalThis.keep = keep;
  const dive = (depth) => depth === 0 ? 0 : 1 + dive(depth - 1);
  return dive(input * 100);
`;

const poolOf = (name: string): void => {
  let runtime: ScriptRuntime;
  const load = (body: string): ScriptImage => runtime.load(new TextDecoder().decode(workflowModule(body).code));

  before(async () => {
    runtime = new ScriptRuntime({
      module: await compileQuickjs(name),
      limits: defaultGuestLimits,
      metering: testMetering(),
    });
  });

  it('shows a workflow nothing of the jobs that ran in it before', () => {
    const spy =
      load(`return { left: globalThis.left ?? null, proto: Object.prototype.left ?? null, json: JSON.stringify([1]),
      names: Object.getOwnPropertyNames(globalThis).join(), random: Math.random(), keep: typeof keep,
      json_parse: JSON.parse('1') };`);
    const seen = (): unknown => {
      const guest = runtime.open(spy);
      const intents = guest.step(start({}));
      guest.close();
      return intents;
    };
    const clean = seen();
    const dirty = load(litter);
    for (const input of [1, 2, 3]) {
      const guest = runtime.open(dirty);
      assert.deepEqual(guest.step(start(input)), [{ type: 'complete', result: String(input * 100) }]);
      guest.close();
      assert.equal(runtime.idleInstances, 1, 'the spy gets this very instance');
      assert.deepEqual(seen(), clean);
    }
  });

  it('does the same again, byte for byte, in the same instance and in another one', () => {
    const image =
      load(`const seen = []; for (let i = 0; i < 50; i++) seen.push({ [Math.random()]: new Error('x').stack });
      return seen;`);
    const guests = [runtime.open(image), runtime.open(image)];
    const [first, second] = guests.map((guest) => guest.step(start({})));
    assert.deepEqual(first, second);
    for (const guest of guests) guest.close();
    assert.deepEqual(runtime.open(image).step(start({})), first);
  });

  it('serves guests of different scripts from the same pool', () => {
    const images = [load('return "a";'), load('return "b".repeat(3);')];
    for (const image of [...images, ...images, ...images]) {
      const guest = runtime.open(image);
      const [end] = guest.step(start({}));
      assert.ok(end?.type === 'complete');
      assert.equal(end.result, image === images[0] ? '"a"' : '"bbb"');
      guest.close();
    }
  });

  it('holds a script that needs more memory for its loading than an instance begins with, beside one that needs little', () => {
    const large = runtime.load(`
      const kept = Array.from({ length: 300000 }, (_, index) => ({ index, text: 'text ' + index }));
      globalThis.mvm_workflows = () => '["main"]';
      globalThis.mvm_step = () => {};
      globalThis.mvm_flush = () => '[{"type":"complete","result":' + kept[299999].index + '}]';`);
    assert.ok(large.memory.heap.length > 12 * 1_048_576, 'it grew while it was loaded');
    const small = load('return 1;');
    for (const [image, result] of [
      [large, '299999'],
      [small, '1'],
      [large, '299999'],
      [small, '1'],
    ] as const) {
      const guest = runtime.open(image);
      assert.deepEqual(guest.step(start({})), [{ type: 'complete', result }]);
      guest.close();
    }
  });

  it('is not used again after it grew, and the next job has all of its memory', () => {
    const greedy = load(
      'const all = []; for (let i = 0; i < 300; i++) all.push(new Uint8Array(100000)); return all.length;',
    );
    for (let round = 0; round < 3; round += 1) {
      const guest = runtime.open(greedy);
      assert.deepEqual(guest.step(start({})), [{ type: 'complete', result: '300' }]);
      guest.close();
    }
  });

  it('keeps the guests that are open at the same time apart', () => {
    const image = load('globalThis.mine = input; await sleep(1); return globalThis.mine;');
    const guests = [1, 2, 3].map((input) => {
      const guest = runtime.open(image);
      guest.step(start(input));
      return guest;
    });
    const answer: Activation = { now: 2, events: [{ type: 'answer', call: 1, answer: { type: 'slept' } }] };
    const results = guests.map((guest) => guest.step(answer));
    assert.deepEqual(
      results.flat(),
      [1, 2, 3].map((input) => ({ type: 'complete', result: String(input) })),
    );
  });
};

for (const name of guestRuntimes) describe(`a pooled instance of ${name}`, () => poolOf(name));

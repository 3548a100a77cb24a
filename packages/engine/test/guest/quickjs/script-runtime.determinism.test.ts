/**
 * Every way in which a script could see the real clock, the real time zone or real randomness. The journal says that it is
 * the year 2001; whatever shows another time is a leak.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ModuleFile } from '@mvm-ci/protocol';
import { MemoryJournal } from '../../../src/index.ts';
import { guestRuntime } from '../../../src/system-quickjs.ts';
import { moduleShelf, scriptModule, workflowModule } from '@mvm-ci/testkit';
import { openTestEngine, resultOf } from '../../fixtures/test-engine.ts';

// A zone with an offset and summer time: guests must not see it.
process.env['TZ'] = 'America/St_Johns';

const at = 1_000_000_000_000;
const iso = '2001-09-09T01:46:40.000Z';

/** Runs `module` from a journal that only says when, and with which seed, it was started. */
const runFrom = async (module: ModuleFile, seed: number, workflow = 'main'): Promise<unknown> => {
  await using engine = await openTestEngine({ modules: { module } });
  const hash = moduleShelf({ module }).hashOf('module');
  const start = { job: 'j1', attempt: 1, module: hash, runtime: guestRuntime, workflow, input: '{}' };
  const journal = new MemoryJournal([{ kind: 'started', at, ...start, seed: new Uint8Array(32).fill(seed) }]);
  const { end } = await engine.finish('module', { journal, workflow });
  return resultOf(end);
};

const body = (expression: string): ModuleFile => workflowModule(`return ${expression};`);

const shown: Readonly<Record<string, unknown>> = {
  'Date.now()': at,
  'new Date().toISOString()': iso,
  'Date()': 'Sun Sep 09 2001 01:46:40 GMT+0000',
  'new Date().toString()': 'Sun Sep 09 2001 01:46:40 GMT+0000',
  'new Date().getTimezoneOffset()': 0,
  'new Date(2020, 6, 1).getTime()': Date.UTC(2020, 6, 1),
  'new Date(2020, 0, 1).getTimezoneOffset()': 0,
  'Date.parse("2020-07-01T00:00")': Date.UTC(2020, 6, 1),
  'new Date(0).getHours()': 0,
  'new Date(-1e14).toISOString()': '-001199-02-15T14:13:20.000Z',
  'new (Reflect.construct(Date, []).constructor)().getTime()': at,
  'new (class extends Date {})().getTime()': at,
  '(() => { const from = Date.now(); for (let i = 0; i < 2e5; i++); return Date.now() - from; })()': 0,
  '(() => { const from = performance.now(); for (let i = 0; i < 2e5; i++); return performance.now() - from; })()': 0,
  'performance.now() + performance.timeOrigin': at,
  'typeof WeakRef + typeof FinalizationRegistry': 'undefinedundefined',
  'typeof SharedArrayBuffer + typeof Atomics': 'undefinedundefined',
  'typeof Intl + typeof Temporal': 'undefinedundefined',
  'typeof process + typeof require + typeof std + typeof os': 'undefinedundefinedundefinedundefined',
  'typeof setTimeout + typeof fetch + typeof crypto': 'undefinedundefinedundefined',
  'typeof gc + typeof print + typeof console': 'undefinedundefinedundefined',
  'import("os").then(() => "loaded", () => "refused")': 'refused',
  'new Function("return Date.now()")()': at,
  '(0, eval)("Date.now()")': at,
  'Object.keys({ b: 1, a: 1, 2: 1, 1: 1, [Symbol("s")]: 1 }).join()': '1,2,b,a',
};

const localeTexts = ['toLocaleString', 'toLocaleDateString', 'toLocaleTimeString'].map(
  (name) => `new Date().${name}()`,
);

describe('a script without the SDK', () => {
  it('sees the time of its activation, UTC, and no way to anything real', async () => {
    const expressions = Object.keys(shown);
    const values = await runFrom(body(`Promise.all([${expressions.join(',\n')}])`), 1);
    assert.ok(Array.isArray(values), JSON.stringify(values));
    const seen = Object.fromEntries(values.map((value: unknown, index) => [expressions[index], value]));
    assert.deepEqual(seen, shown);
  });

  it('gets the texts of dates in UTC', async () => {
    const texts = await runFrom(body(`[${localeTexts.join(', ')}]`), 1);
    assert.match(JSON.stringify(texts), /01:46:40/);
    assert.match(JSON.stringify(texts), /2001/);
  });

  it('gets random numbers from the seed of the attempt, and from nothing else', async () => {
    const module = body('Array.from({ length: 5 }, () => Math.random())');
    const [first, again, other] = [await runFrom(module, 1), await runFrom(module, 1), await runFrom(module, 2)];
    assert.deepEqual(first, again);
    assert.notDeepEqual(first, other);
    assert.ok(Array.isArray(first) && new Set(first).size === 5 && first.every((value) => value >= 0 && value < 1));
  });

  it('sees the same time and the same randomness whenever it is loaded', async () => {
    const module = scriptModule(`
      const seen = [Date.now(), new Date().getTimezoneOffset(), performance.now(), Math.random(), new Error('e').stack];
      globalThis.mvm_workflows = () => '["main"]';
      globalThis.mvm_step = () => {};
      globalThis.mvm_flush = () => JSON.stringify([{ type: 'complete', result: seen }]);`);
    const first = await runFrom(module, 1);
    assert.deepEqual(first, await runFrom(module, 1));
    assert.ok(Array.isArray(first) && first[0] === 0 && first[1] === 0 && first[2] === 0, JSON.stringify(first));
  });

  it('sees the same however much garbage its steps leave behind', async () => {
    const module = body(`(() => {
      const seen = [];
      for (let i = 0; i < 3000; i++) { const a = {}; const b = { a }; a.b = b; seen.push(new Error(String(i)).stack.length); }
      return seen.reduce((sum, length) => sum + length, 0);
    })()`);
    assert.equal(await runFrom(module, 1), await runFrom(module, 1));
  });
});

/** The worst that a script can do: each case harms its own job, while five others in the same thread finish. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { ModuleFile } from '@mvm-ci/protocol';
import { scriptModule, workflowModule } from '@mvm-ci/testkit';
import { failureOf, openTestEngine, resultOf, type TestEngine } from './fixtures/test-engine.ts';

interface Poison {
  readonly module: ModuleFile;
  /** The code that the job ends with, or those that it may, depending on how fast the machine is. */
  readonly code: string | readonly string[];
  readonly message?: RegExp;
}

const rawStep = (step: string, flush = '"[]"'): ModuleFile =>
  scriptModule(`
    globalThis.mvm_workflows = () => '["main"]';
    globalThis.mvm_step = (text) => { ${step} };
    globalThis.mvm_flush = () => ${flush};`);

const poisons: Readonly<Record<string, Poison>> = {
  'an endless loop': { module: workflowModule('for (;;) {}'), code: 'STEP_TIMEOUT', message: /within 1000 ms/ },
  'an endless loop of microtasks': {
    module: workflowModule('for (;;) await null;'),
    code: 'STEP_TIMEOUT',
  },
  'an endless loop that swallows every exception': {
    module: workflowModule('for (;;) { try { for (;;) {} } catch {} finally { continue; } }'),
    code: 'STEP_TIMEOUT',
  },
  'an endless loop inside of a native function': {
    module: workflowModule('[].indexOf.call({ length: 2 ** 53 - 1 }, 1);'),
    code: 'STEP_TIMEOUT',
    message: /within 1000 ms/,
  },
  'a regular expression that backtracks for ever': {
    module: workflowModule('/^(a+)+$/.test("a".repeat(40) + "b");'),
    code: 'STEP_TIMEOUT',
  },
  'deep recursion': {
    module: workflowModule('const dive = () => dive() + 1; return dive();'),
    code: 'WORKFLOW_FAILED',
    message: /RangeError: Maximum call stack size exceeded/,
  },
  'deep recursion in a native function': {
    module: workflowModule('return JSON.parse("[".repeat(1e6));'),
    code: 'WORKFLOW_FAILED',
    message: /Maximum call stack size exceeded/,
  },
  'a huge allocation': { module: workflowModule('return new ArrayBuffer(1e9);'), code: 'OUT_OF_MEMORY' },
  'many allocations': {
    module: workflowModule('const all = []; for (;;) all.push(new Array(1000).fill(all.length));'),
    code: ['OUT_OF_MEMORY', 'STEP_TIMEOUT'],
  },
  'a huge string': { module: workflowModule('return "x".repeat(2 ** 29);'), code: 'OUT_OF_MEMORY' },
  'a million log lines': {
    module: workflowModule('for (let i = 0; i < 1e6; i++) emit({ type: "log", level: "info", text: "line" });'),
    code: ['OUT_OF_MEMORY', 'STEP_TIMEOUT', 'LIMIT_EXCEEDED'],
  },
  'too many intents': {
    module: workflowModule('for (let i = 0; i < 20000; i++) emit({ type: "log", level: "info", text: "" }); return 1;'),
    code: 'LIMIT_EXCEEDED',
    message: /at most 10000 .* received 20001/,
  },
  'a result that is too large': {
    module: workflowModule('return "x".repeat(2 ** 21);'),
    code: 'LIMIT_EXCEEDED',
    message: /at most 1048576 bytes in a result, received 2097154/,
  },
  'a promise that nothing will resolve': {
    module: workflowModule('await new Promise(() => {});'),
    code: 'WORKFLOW_STUCK',
  },
  'a thing thrown that is no error': {
    module: workflowModule('throw { get message() { throw 1; }, toString() { throw 2; } };'),
    code: 'WORKFLOW_STUCK',
  },
  'a throw at load': {
    module: scriptModule('const x = undefined;\nx.y;'),
    code: 'MODULE_LOAD_FAILED',
    message: /TypeError: .*workflow\.js:2:/,
  },
  'a syntax error': {
    module: scriptModule('const a = 1;\nconst b = ;\n'),
    code: 'MODULE_SYNTAX_ERROR',
    message: /workflow\.js:2:/,
  },
  'an endless loop at load': { module: scriptModule('for (;;) {}'), code: 'STEP_TIMEOUT' },
  'a script without the functions': {
    module: scriptModule('globalThis.mvm_workflows = () => "[]";'),
    code: 'MODULE_LOAD_FAILED',
    message: /doesn't define the function mvm_step/,
  },
  'intents that are no JSON': { module: rawStep('', '"{nonsense"'), code: 'GUEST_PROTOCOL', message: /not JSON/ },
  'intents that are no text': { module: rawStep('', '[]'), code: 'GUEST_PROTOCOL', message: /must return JSON text/ },
  'intents of an unknown type': {
    module: rawStep('', `'[{"type":"format_disk"}]'`),
    code: 'GUEST_PROTOCOL',
    message: /0\.type/,
  },
  'intents with a field of the wrong type': {
    module: rawStep('', `'[{"type":"sleep","call":"1","ms":1}]'`),
    code: 'GUEST_PROTOCOL',
    message: /0\.call/,
  },
  'a call number out of order': {
    module: rawStep('', `'[{"type":"sleep","call":7,"ms":1}]'`),
    code: 'GUEST_PROTOCOL',
    message: /call 1 comes next, received 7/,
  },
  'a negative sleep': {
    module: rawStep('', `'[{"type":"sleep","call":1,"ms":-1}]'`),
    code: 'GUEST_PROTOCOL',
    message: /at least 0, received -1/,
  },
  'a step that throws': { module: rawStep('throw new Error("no")'), code: 'GUEST_PROTOCOL', message: /Error: no/ },
  'a step that throws a trap for the host': {
    module: rawStep('throw new Proxy(new Error("x"), { get() { for (;;) {} } });'),
    code: 'STEP_TIMEOUT',
  },
};

describe('a poisonous workflow', () => {
  let engine: TestEngine;
  const neighbour = workflowModule(
    'let sum = 0; for (let i = 0; i < 4; i++) { await sleep(20); sum += i; } return sum;',
  );

  before(async () => {
    const modules = Object.fromEntries(Object.entries(poisons).map(([name, { module }]) => [name, module]));
    engine = await openTestEngine({
      modules: { ...modules, neighbour },
      limits: { stepMsMax: 1_000, stepGraceMs: 500 },
    });
  });

  after(() => engine.stop());

  for (const [name, { code, message }] of Object.entries(poisons))
    it(`harms only itself: ${name}`, async () => {
      const neighbours = Array.from({ length: 5 }, (_, index) => engine.finish('neighbour', { job: `n${index}` }));
      const { end, entries } = await engine.finish(name, { job: 'poison' });
      const failure = failureOf(end);
      assert.ok(failure && [code].flat().includes(failure.code), JSON.stringify(end));
      if (message) assert.match(failure.message, message);
      const last = entries.at(-1);
      assert.ok(last?.kind === 'failed' && last.code === failure.code, 'the journal says so too');
      for (const { end: neighbourEnd } of await Promise.all(neighbours)) assert.equal(resultOf(neighbourEnd), 6);
    });
});

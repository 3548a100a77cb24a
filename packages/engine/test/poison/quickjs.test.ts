/** The worst that a script can do. */
import type { ModuleFile } from '@mvm-ci/protocol';
import { scriptModule, workflowModule } from '@mvm-ci/testkit';
import { describePoison } from '../fixtures/poison.ts';

const rawStep = (step: string, flush = '"[]"'): ModuleFile =>
  scriptModule(`
    globalThis.mvm_workflows = () => '["main"]';
    globalThis.mvm_step = (text) => { ${step} };
    globalThis.mvm_flush = () => ${flush};`);

const tooLong = ['STEP_TIMEOUT', 'FUEL_EXHAUSTED'];

describePoison('a poisonous workflow', {
  'an endless loop': { module: workflowModule('for (;;) {}'), code: tooLong },
  'an endless loop of microtasks': {
    module: workflowModule('for (;;) await null;'),
    code: tooLong,
  },
  'an endless loop that swallows every exception': {
    module: workflowModule('for (;;) { try { for (;;) {} } catch {} finally { continue; } }'),
    code: tooLong,
  },
  'an endless loop inside of a native function': {
    module: workflowModule('[].indexOf.call({ length: 2 ** 53 - 1 }, 1);'),
    code: tooLong,
  },
  'a regular expression that backtracks for ever': {
    module: workflowModule('/^(a+)+$/.test("a".repeat(40) + "b");'),
    code: tooLong,
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
    code: ['OUT_OF_MEMORY', ...tooLong],
  },
  'a huge string': { module: workflowModule('return "x".repeat(2 ** 29);'), code: 'OUT_OF_MEMORY' },
  'a million log lines': {
    module: workflowModule('for (let i = 0; i < 1e6; i++) emit({ type: "log", level: "info", text: "line" });'),
    code: ['OUT_OF_MEMORY', 'LIMIT_EXCEEDED', ...tooLong],
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
  'an endless loop at load': { module: scriptModule('for (;;) {}'), code: tooLong },
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
    code: tooLong,
  },
  'a result of 100 MiB': { module: workflowModule('return "x".repeat(100 * 2 ** 20);'), code: 'OUT_OF_MEMORY' },
  'a result nested very deep': {
    module: workflowModule('let all = []; for (let i = 0; i < 1e6; i++) all = [all]; return all;'),
    code: ['GUEST_PROTOCOL', 'OUT_OF_MEMORY', ...tooLong],
  },
  'a JSON text that is large in memory': {
    module: workflowModule('return JSON.parse(`[${"{},".repeat(4e6)}{}]`).length;'),
    code: ['OUT_OF_MEMORY', ...tooLong],
  },
  'a regular expression of a thousand alternatives': {
    module: workflowModule('return new RegExp(`^(${"a?".repeat(1e3)})*$`).test("a".repeat(1e3) + "b");'),
    code: tooLong,
  },
  'a regular expression that is too large': {
    module: workflowModule('return new RegExp("(a{1,1000}){1,1000}".repeat(1e5)).test("a");'),
    code: ['OUT_OF_MEMORY', 'WORKFLOW_FAILED', ...tooLong],
  },
  'a flood of promises': {
    module: workflowModule(
      'const spawn = async () => { await null; void spawn(); void spawn(); }; await spawn(); await sleep(1);',
    ),
    code: ['OUT_OF_MEMORY', ...tooLong],
  },
  'a flood of calls': {
    module: workflowModule('await Promise.all(Array.from({ length: 5000 }, () => sleep(1)));'),
    code: 'LIMIT_EXCEEDED',
    message: /1000/,
  },
  'a result that holds itself': {
    module: workflowModule('const all = {}; all.all = all; return all;'),
    code: 'GUEST_PROTOCOL',
    message: /circular/,
  },
  'a result whose getter throws': {
    module: workflowModule('return { get a() { throw new Error("no getter"); } };'),
    code: 'GUEST_PROTOCOL',
    message: /no getter/,
  },
  'a result whose getter never returns': {
    module: workflowModule('return { get a() { for (;;) {} } };'),
    code: tooLong,
  },
  'a result whose toJSON never ends': {
    module: workflowModule('const all = { toJSON: () => ({ all }) }; return all;'),
    code: ['GUEST_PROTOCOL', 'OUT_OF_MEMORY', ...tooLong],
  },
  'a proxy without an end as a result': {
    module: workflowModule(
      'const deep = new Proxy({}, { ownKeys: () => ["a"], get: () => deep, getOwnPropertyDescriptor: () => ({ value: deep, enumerable: true, configurable: true }) }); return deep;',
    ),
    code: ['GUEST_PROTOCOL', 'OUT_OF_MEMORY', ...tooLong],
  },
  'a result that is a BigInt': { module: workflowModule('return 1n;'), code: 'GUEST_PROTOCOL', message: /BigInt/i },
  'a JSON.stringify that lies': {
    module: workflowModule('JSON.stringify = () => "[]"; return 1;'),
    code: 'WORKFLOW_STUCK',
  },
  'a JSON.stringify that throws': {
    module: workflowModule('JSON.stringify = () => { throw new Error("mine now"); }; return 1;'),
    code: 'GUEST_PROTOCOL',
    message: /mine now/,
  },
  'a polluted prototype': {
    module: workflowModule('Object.prototype.toJSON = () => 1; Object.prototype.type = "sleep"; return {};'),
    code: 'GUEST_PROTOCOL',
  },
  'an array that no longer takes anything': {
    module: workflowModule('Array.prototype.push = () => { throw new Error("full"); }; await sleep(1);'),
    code: ['WORKFLOW_STUCK', 'GUEST_PROTOCOL'],
  },
  'setters for all that an intent has': {
    module: workflowModule(
      'for (const name of ["type", "call", "ms"]) Object.defineProperty(Object.prototype, name, { set() { for (;;) {} } }); const o = {}; o.ms = 1;',
    ),
    code: tooLong,
  },
  'the functions of the step machine replaced': {
    module: workflowModule('globalThis.mvm_flush = () => { for (;;) {} }; globalThis.mvm_step = 1; return 1;'),
    result: 1,
  },
  'everything global deleted': {
    module: workflowModule(
      'const all = globalThis; for (const name of Object.getOwnPropertyNames(all)) try { delete all[name]; } catch {} return 1;',
    ),
    code: ['GUEST_PROTOCOL', 'WORKFLOW_STUCK'],
  },
  'a symbol as a result': { module: workflowModule('return Symbol("a");'), code: 'GUEST_PROTOCOL' },
  'a function as a result': { module: workflowModule('return () => 1;'), code: 'GUEST_PROTOCOL' },
  'a lone surrogate in a log line': {
    module: workflowModule('emit({ type: "log", level: "info", text: "\\ud800" }); return 1;'),
    result: 1,
  },
  'a finally that waits for ever': {
    module: workflowModule('try { throw 1; } finally { await new Promise(() => {}); }'),
    code: 'WORKFLOW_STUCK',
  },
  'a thenable that calls back twice': {
    module: workflowModule('return await { then(yes, no) { yes(1); no(2); yes(3); throw 4; } };'),
    result: 1,
  },
  'a generator without an end': {
    module: workflowModule('return [...(function* () { for (;;) yield 1; })()];'),
    code: ['OUT_OF_MEMORY', ...tooLong],
  },
  'a huge sort': {
    module: workflowModule('return [].sort.call({ length: 2 ** 53 - 1 });'),
    code: ['OUT_OF_MEMORY', 'WORKFLOW_FAILED', ...tooLong],
  },
  'a huge BigInt': {
    module: workflowModule('let n = 3n; for (;;) n *= n;'),
    code: ['OUT_OF_MEMORY', 'WORKFLOW_FAILED', ...tooLong],
  },
  'source text of its own, nested too deeply': {
    module: workflowModule('return eval("(".repeat(1e6));'),
    code: 'WORKFLOW_FAILED',
    message: /Maximum call stack size exceeded/,
  },
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Intent, JournalEntry } from '@mvm-ci/protocol';
import { encodeWireIntents, wasiModule, wasiProgram, type WasiProgramParts } from '@mvm-ci/testkit';
import { engineLimits } from '../../../src/limits.ts';
import { MemoryJournal } from '../../../src/index.ts';
import { EchoPerformer, failureOf, openTestEngine, resultOf } from '../../fixtures/test-engine.ts';

/** Runs a program to its end. */
const run = async (
  parts: WasiProgramParts,
  options: { readonly input?: unknown; readonly journal?: MemoryJournal } = {},
): Promise<{
  readonly result: unknown;
  readonly entries: readonly JournalEntry[];
  readonly asked: readonly Intent[][];
}> => {
  await using engine = await openTestEngine({ modules: { module: wasiModule(await wasiProgram(parts)) } });
  const { end, entries } = await engine.finish('module', options);
  return { result: failureOf(end) ?? resultOf(end), entries, asked: askedIn(entries) };
};

const askedIn = (entries: readonly JournalEntry[]): readonly Intent[][] =>
  entries.flatMap((entry) => (entry.kind === 'intents' ? [[...entry.intents]] : []));

const fetchOf = (url: string): Intent => ({
  type: 'fetch',
  call: 1,
  method: 'GET',
  url,
  headers: [],
  body: null,
  redirect: 'follow',
  timeoutMs: 1_000,
  idempotent: null,
  key: null,
});

const echoInput = `
  (i32.store (i32.const 0) (i32.const 1024))
  (i32.store (i32.const 4) (i32.const 1000))
  (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
  (call $out (i32.const 1024) (i32.load (i32.const 8)))`;

const say = (name: string): string => `(call $err (global.get $${name}) (global.get $${name}_len))`;
const print = (name: string): string => `(call $out (global.get $${name}) (global.get $${name}_len))`;
const submit = (name: string): string => `(call $submit (global.get $${name}) (global.get $${name}_len))`;

describe('a wasi guest', () => {
  it('reads its input from stdin, and what it writes to stdout is its result', async () => {
    assert.deepEqual((await run({ main: echoInput }, { input: { a: ['ü', 1] } })).result, { a: ['ü', 1] });
  });

  it('has the text of stdout as its result when that is not JSON, and null when there is none', async () => {
    const result = async (text: string): Promise<unknown> =>
      (await run({ data: { text }, main: print('text') })).result;
    assert.equal(await result('two\nlines\n'), 'two\nlines');
    assert.equal(await result(' 12 \n'), 12);
    assert.equal(await result('\n'), null);
  });

  it('reads a string without quotes when its module says so', async () => {
    const module = { ...wasiModule(await wasiProgram({ main: echoInput })), runtime: 'text' };
    await using engine = await openTestEngine({ modules: { module } });
    const echo = async (input: unknown): Promise<unknown> => resultOf((await engine.finish('module', { input })).end);
    assert.equal(await echo('select 1;\n'), 'select 1;');
    assert.deepEqual(await echo({ a: 'b' }), { a: 'b' });
  });

  it('logs each line of stderr, also the last one without an end', async () => {
    const { asked } = await run({ data: { one: 'one\ntw', two: 'o\r\nthree' }, main: say('one') + say('two') });
    assert.deepEqual(
      asked[0]?.slice(0, 3),
      ['one', 'two', 'three'].map((text) => ({ type: 'log', level: 'info', text })),
    );
  });

  it('fails with the status that it exits with and its last words', async () => {
    const { result } = await run({
      data: { words: 'no such file\n' },
      main: `${say('words')}(call $proc_exit (i32.const 3))`,
    });
    assert.deepEqual(
      { ...(result as object), details: undefined },
      {
        code: 'PROGRAM_FAILED',
        message: 'the program exited with status 3: no such file',
        retryable: true,
        details: undefined,
      },
    );
  });

  it('fails with the functions that it trapped in', async () => {
    const functions = '(func $inner unreachable) (func $outer (call $inner))';
    const { result } = await run({ functions, main: '(call $sleep_ms (i64.const 1)) (call $outer)' });
    const { details } = result as { details: { stack: string } };
    assert.match(details.stack, /^ +at .*\(wasm-function\[\d+\]:0x[\da-f]+\)\n +at .*\(wasm-function/);
  });

  it('completes when it exits with status 0, wherever that is', async () => {
    const main = `${echoInput}(call $proc_exit (i32.const 0)) unreachable`;
    assert.deepEqual((await run({ main }, { input: [1] })).result, [1]);
  });

  it('sleeps durably, and its clock shows the time of the activation', async () => {
    const readClock = (place: number): string =>
      `(drop (call $clock_time_get (i32.const 0) (i64.const 0) (i32.const ${place})))`;
    // The difference of the clock in ms, as a decimal digit string of 8 digits; leading zeroes cut by the host's JSON.
    const main = `${readClock(1024)} (call $sleep_ms (i64.const 20)) ${readClock(1032)} ${readClock(1040)}
      (if (i64.ne (i64.load (i32.const 1032)) (i64.load (i32.const 1040))) (then unreachable))
      (if (i64.lt_u (i64.sub (i64.load (i32.const 1032)) (i64.load (i32.const 1024))) (i64.const 20000000)) (then unreachable))`;
    const { result, asked } = await run({ main });
    assert.equal(result, null);
    assert.deepEqual(asked[0], [{ type: 'sleep', call: 1, ms: 20 }]);
  });

  it('has several effects in flight, and takes their answers in any order', async () => {
    const data = {
      both: encodeWireIntents([
        fetchOf('http://site/1'),
        fetchOf('http://site/2'),
        { type: 'progress', percent: 5, text: 'x' },
      ]),
      done: '{"order":',
    };
    const main = `
      (local.set $a ${submit('both')})
      (if (i32.ne (local.get $a) (i32.const 1)) (then unreachable))
      (if (i32.ne (call $pending) (i32.const 2)) (then unreachable))
      (local.set $b (call $wait (i32.const 2)))
      (if (i32.ne (call $read_answer (i32.const 1024) (i32.const 4096)) (local.get $b)) (then unreachable))
      ;; version, time, one event: fetched, of call 2
      (if (i32.ne (i32.load8_u (i32.const 1037)) (i32.const 1)) (then unreachable))
      (if (i32.ne (i32.load (i32.const 1038)) (i32.const 2)) (then unreachable))
      (drop (call $wait (i32.const 0)))
      (drop (call $read_answer (i32.const 1024) (i32.const 18)))
      (if (i32.ne (i32.load (i32.const 1038)) (i32.const 1)) (then unreachable))
      (if (call $pending) (then unreachable))`;
    const { result, asked } = await run({ data, main });
    assert.equal(result, null);
    assert.deepEqual(
      asked[0]?.map((intent) => [intent.type, 'call' in intent && intent.call]),
      [
        ['fetch', 1],
        ['fetch', 2],
        ['progress', false],
      ],
    );
  });

  it('may end itself with a result or an error of its own', async () => {
    const end = async (intent: Intent): Promise<unknown> =>
      (await run({ data: { end: encodeWireIntents([intent]) }, main: `(drop ${submit('end')}) unreachable` })).result;
    assert.deepEqual(await end({ type: 'complete', result: '{"own":true}' }), { own: true });
    const failure = await end({ type: 'fail', code: 'NO_STOCK', name: 'Shop', message: 'nothing left', stack: '' });
    assert.deepEqual(
      [(failure as { message: string }).message, (failure as { code: string }).code],
      ['Shop: nothing left', 'WORKFLOW_FAILED'],
    );
  });

  it('draws the same random bytes whenever its attempt is replayed, and others in another attempt', async () => {
    // 8 random bytes, then a sleep, then 8 more: both as a log line of hexadecimal letters a to p.
    const letters = `
      (drop (call $random_get (i32.const 1024) (i32.const 8)))
      (local.set $a (i32.const 0))
      (loop $next
        (i32.store8 (i32.add (i32.const 1100) (local.get $a))
          (i32.add (i32.const 97) (i32.and (i32.load8_u (i32.add (i32.const 1024) (local.get $a))) (i32.const 15))))
        (br_if $next (i32.lt_u (local.tee $a (i32.add (local.get $a) (i32.const 1))) (i32.const 8))))
      (i32.store8 (i32.const 1108) (i32.const 10))
      (call $err (i32.const 1100) (i32.const 9))`;
    const parts = { main: `${letters} (call $sleep_ms (i64.const 1)) ${letters}` };
    const { entries, asked } = await run(parts);
    const again = await run(parts, { journal: new MemoryJournal(entries.slice(0, 3)) });
    assert.deepEqual(again.asked, asked);
    const [first, second] = asked.map((intents) => intents.find(({ type }) => type === 'log'));
    assert.notDeepEqual(first, second);
    assert.notDeepEqual((await run(parts)).asked[0], asked[0]);
  });
});

describe('a suspended wasi guest', () => {
  const program = {
    data: {
      one: encodeWireIntents([fetchOf('http://site/1')]),
      two: encodeWireIntents([fetchOf('http://site/2')]),
      word: '"done"',
    },
    main: `
      (drop (call $wait ${submit('one')}))
      (call $sleep_ms (i64.const 1))
      (drop (call $wait ${submit('two')}))
      ${print('word')}`,
  };

  it('goes on from any place in its journal, and sends nothing again that was answered', async () => {
    const module = wasiModule(await wasiProgram(program));
    await using whole = await openTestEngine({ modules: { module } });
    const { entries } = await whole.finish('module');
    for (let cut = 1; cut < entries.length; cut += 1) {
      const performer = new EchoPerformer();
      await using engine = await openTestEngine({ modules: { module }, performer });
      const { end } = await engine.finish('module', { journal: new MemoryJournal(entries.slice(0, cut)) });
      assert.equal(resultOf(end), 'done', `cut at ${cut}`);
      const answered = entries.slice(0, cut).filter(({ kind }) => kind === 'answered').length;
      const expected = answered === 0 ? ['j1:1:1', 'j1:1:3'] : answered < 3 ? ['j1:1:3'] : [];
      assert.deepEqual(performer.sent, expected, `cut at ${cut}`);
    }
  });

  it('is compared with its journal', async () => {
    const module = wasiModule(await wasiProgram(program));
    await using engine = await openTestEngine({ modules: { module } });
    const { entries } = await engine.finish('module');
    const other = wasiModule(
      await wasiProgram({ ...program, data: { ...program.data, two: encodeWireIntents([fetchOf('http://site/3')]) } }),
    );
    await using changed = await openTestEngine({ modules: { other } });
    const { end } = await changed.finish('other', { journal: new MemoryJournal(entries.slice(0, 6)) });
    assert.equal(failureOf(end)?.code, 'NONDETERMINISM');
    assert.match(failureOf(end)?.message ?? '', /site\/2.*site\/3/);
  });
});

describe('sleeping wasi guests', () => {
  const napper = async (ms: number): Promise<ReturnType<typeof wasiModule>> =>
    wasiModule(
      await wasiProgram({ data: { word: '"awake"' }, main: `(call $sleep_ms (i64.const ${ms})) ${print('word')}` }),
    );

  it('are dropped when there are more than a thread keeps, and run again to where they were', async () => {
    await using engine = await openTestEngine({ modules: { module: await napper(1_500) } });
    const jobs = engineLimits.residentGuestsMax + 200;
    const runs = Array.from({ length: jobs }, (_, index) => engine.start('module', { job: `j${index}` }).run.ended);
    const ends = await Promise.all(runs);
    assert.deepEqual(new Set(ends.map(resultOf)), new Set(['awake']));
  });

  it('are given back while they sleep, and go on where they were', async () => {
    const modules = { module: await napper(3_000) };
    await using engine = await openTestEngine({ modules, suspendAfterMs: 50 });
    const journal = new MemoryJournal();
    const first = await engine.finish('module', { journal });
    assert.ok(first.end.type === 'finished' && first.end.outcome.type === 'suspended', JSON.stringify(first.end));
    await using other = await openTestEngine({ modules });
    assert.equal(resultOf((await other.finish('module', { journal })).end), 'awake');
  });
});

describe('a wasi guest whose code was changed', () => {
  const program = (main: string) => ({
    data: {
      change: 'two-step',
      one: encodeWireIntents([fetchOf('http://site/1')]),
      two: encodeWireIntents([fetchOf('http://site/2')]),
      yes: '"new"',
      no: '"old"',
    },
    main,
  });
  const fetchOne = `(drop (call $wait ${submit('one')}))`;
  const ask = '(call $version (global.get $change) (global.get $change_len))';
  const before = program(`${fetchOne} ${print('no')}`);
  // Asked twice: the second answer is the first one's.
  const after = program(
    `(if ${ask} (then (drop (call $wait ${submit('two')}))) (else ${fetchOne}))
     (if ${ask} (then ${print('yes')}) (else ${print('no')}))`,
  );

  it('runs the new code when its attempt begins with it, and the old code in an attempt that is older', async () => {
    const fresh = await run(after);
    assert.equal(fresh.result, 'new');
    assert.deepEqual(
      fresh.asked[0]?.map(({ type }) => type),
      ['version', 'fetch'],
    );
    const again = await run(after, { journal: new MemoryJournal(fresh.entries.slice(0, 3)) });
    assert.equal(again.result, 'new');
    const old = await run(before);
    const continued = await run(after, { journal: new MemoryJournal(old.entries.slice(0, 2)) });
    assert.equal(continued.result, 'old');
  });
});

describe('a poisonous wasi guest', () => {
  const long = 'x'.repeat(60_000);
  const poisons: Readonly<Record<string, readonly [WasiProgramParts, code: string, message: RegExp]>> = {
    'a trap': [{ main: 'unreachable' }, 'GUEST_TRAPPED', /unreachable/],
    'a trap after a sleep': [{ main: '(call $sleep_ms (i64.const 1)) unreachable' }, 'GUEST_TRAPPED', /unreachable/],
    'an endless loop after a sleep': [
      { main: '(call $sleep_ms (i64.const 1)) (loop $l (br $l))' },
      'STEP_TIMEOUT',
      /./,
    ],
    'log lines without end': [
      { data: { line: 'line\n' }, main: `(loop $l ${say('line')} (br $l))` },
      'LIMIT_EXCEEDED',
      /10000 intents in one step/,
    ],
    'a log without line ends': [
      { data: { long }, main: `(loop $l ${say('long')} (br $l))` },
      'LIMIT_EXCEEDED',
      /bytes of intents in one step/,
    ],
    'a buffer of line ends': [
      // 60 MB of the byte 10, which the engine must not cut into as many lines.
      {
        main: `(drop (memory.grow (i32.const 916))) (memory.fill (i32.const 65536) (i32.const 10) (i32.const 60000000))
          (call $err (i32.const 65536) (i32.const 60000000))`,
      },
      'LIMIT_EXCEEDED',
      /10000 intents in one step/,
    ],
    'millions of intents at once': [
      // Version 1 and a list of 5,000,000 progress intents (13 bytes each), all at 0 percent.
      {
        main: `(drop (memory.grow (i32.const 1000))) (i32.store8 (i32.const 65536) (i32.const 1))
          (i32.store (i32.const 65537) (i32.const 5000000))
          (drop (call $submit (i32.const 65536) (i32.const 65000005)))`,
      },
      'LIMIT_EXCEEDED',
      /10000 intents in one step, received 5000000/,
    ],
    'millions of buffers in one write': [
      {
        main: `(drop (memory.grow (i32.const 1000)))
          (if (i32.ne (call $fd_write (i32.const 2) (i32.const 65536) (i32.const 8000000) (i32.const 8)) (i32.const 28)) (then unreachable))
          (call $proc_exit (i32.const 9))`,
      },
      'PROGRAM_FAILED',
      /status 9/,
    ],
    'endless recursion': [
      { main: '(call $deep)', functions: '(func $deep (call $deep) (call $deep))' },
      'STACK_OVERFLOW',
      /stack/,
    ],
    'endless recursion after a sleep': [
      { main: '(call $sleep_ms (i64.const 1)) (call $deep)', functions: '(func $deep (call $deep) (call $deep))' },
      'STACK_OVERFLOW',
      /stack/,
    ],
    'too long a result': [
      { data: { long }, main: `(loop $l ${print('long')} (br $l))` },
      'LIMIT_EXCEEDED',
      /1048576 bytes to its standard output/,
    ],
    'a wait for a call that it never made': [
      { main: '(drop (call $wait (i32.const 5)))' },
      'GUEST_PROTOCOL',
      /names call 5/,
    ],
    'a wait for nothing': [{ main: '(drop (call $wait (i32.const 0)))' }, 'GUEST_PROTOCOL', /no call/],
    'intents outside of its memory': [
      { main: '(drop (call $submit (i32.const -1) (i32.const 100)))' },
      'GUEST_PROTOCOL',
      /outside of the guest's memory/,
    ],
    'intents that are none': [
      { main: '(drop (call $submit (i32.const 0) (i32.const 10)))' },
      'GUEST_PROTOCOL',
      /version 1/,
    ],
  };

  for (const [name, [parts, code, message]] of Object.entries(poisons))
    it(`harms only its own job: ${name}`, async () => {
      const poison = wasiModule(await wasiProgram(parts));
      const neighbour = wasiModule(
        await wasiProgram({ data: { word: '"well"' }, main: `(call $sleep_ms (i64.const 50)) ${print('word')}` }),
      );
      const limits = { stepMsMax: 400, stepGraceMs: 300 };
      await using engine = await openTestEngine({ modules: { poison, neighbour }, limits });
      const [other, harmed] = await Promise.all([
        engine.finish('neighbour', { job: 'n' }),
        engine.finish('poison', { job: 'p' }),
      ]);
      const failure = failureOf(harmed.end);
      assert.equal(failure?.code, code, JSON.stringify(harmed.end));
      assert.match(failure.message, message);
      assert.equal(resultOf(other.end), 'well');
    });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { secretPlaceholder, type Answer, type Intent, type JournalEntry } from '@mvm-ci/protocol';
import { answersIn, flawlessModule, type FlawlessParts } from '@mvm-ci/testkit';
import { MemoryJournal, type EffectPerformer } from '../../../src/index.ts';
import { openFlawlessGuest } from '../../../src/guest/flawless/flawless-guest.ts';
import { FuelMeter } from '../../../src/guest/fuel/metering.ts';
import { prepareCore } from '../../../src/module/core-module.ts';
import { testMetering } from '../../fixtures/test-metering.ts';
import { EchoPerformer, failureOf, openTestEngine, resultOf } from '../../fixtures/test-engine.ts';

interface Ran {
  readonly result: unknown;
  readonly entries: readonly JournalEntry[];
  readonly asked: readonly Intent[];
  readonly answers: readonly unknown[];
}

const run = async (
  parts: FlawlessParts,
  options: { readonly input?: unknown; readonly journal?: MemoryJournal; readonly performer?: EffectPerformer } = {},
): Promise<Ran> => {
  const { performer = new EchoPerformer(), ...start } = options;
  await using engine = await openTestEngine({ modules: { module: await flawlessModule(parts) }, performer });
  const { end, entries } = await engine.finish('module', start);
  const asked = entries.flatMap((entry) => (entry.kind === 'intents' ? entry.intents : []));
  return { result: failureOf(end) ?? resultOf(end), entries, asked, answers: answersIn(asked) };
};

const request = (more: object = {}): object => ({
  HTTPRequest: {
    config: { idempotent: true, timeout: { secs: 3, nanos: 500_000 }, response_body_limit: 9 },
    method: 'POST',
    url: 'http://site/1',
    headers: [['x-one', 'a']],
    body: Buffer.from('hello').toString('base64'),
    ...more,
  },
});

/** Answers every request with an error. */
const failing = (code: string): EffectPerformer => ({
  fetch: (): Promise<Answer> => Promise.resolve({ type: 'error', code, message: 'no' }),
});

describe('a flawless guest', () => {
  it('gets its input as text, and what it sends as a response is its result', async () => {
    const commands = ['GetInput', { SendResponse: '{"order": 1}' }, { SendResponse: '2' }];
    const { result, answers, asked } = await run({ commands }, { input: { a: 'ü' } });
    assert.deepEqual(answers, [{ String: '{"a":"ü"}' }, { ResponseSent: true }, { ResponseSent: false }]);
    assert.deepEqual(result, { order: 1 });
    assert.deepEqual(
      asked.filter(({ type }) => type === 'respond'),
      [{ type: 'respond', value: '{"order":1}' }],
    );
    assert.equal((await run({ commands: [] })).result, null);
    assert.equal((await run({ commands: [{ SendResponse: 'just text' }] })).result, 'just text');
  });

  it('sleeps, and its time is that of the activation', async () => {
    const { asked, answers, entries } = await run({
      commands: ['TimeNow', { Sleep: { secs: 0, nanos: 1_500_000 } }, 'TimeNow'],
    });
    assert.deepEqual(
      asked.find(({ type }) => type === 'sleep'),
      { type: 'sleep', call: 1, ms: 2 },
    );
    const times = entries.flatMap((entry) => (entry.kind === 'started' || entry.kind === 'answered' ? [entry.at] : []));
    const expected = times.map((at) => ({
      Time: { secs_since_epoch: Math.floor(at / 1_000), nanos_since_epoch: (at % 1_000) * 1_000_000 },
    }));
    assert.deepEqual(answers, [expected[0], 'Unit', expected[1]]);
  });

  it('logs, and is told a placeholder for a secret', async () => {
    const { asked, answers } = await run({
      commands: [{ Log: { Warn: 'careful' } }, { Log: { Trace: 't' } }, { GetSecret: 'KEY' }],
    });
    const long = await run({ commands: [{ Log: { Info: 'x'.repeat(20_000) } }] });
    assert.equal(long.result, null, 'a long line is cut');
    assert.deepEqual(asked[0], { type: 'log', level: 'warn', text: 'careful' });
    assert.deepEqual(asked[2], { type: 'log', level: 'debug', text: 't' });
    assert.deepEqual(answers.slice(0, 3), ['Unit', 'Unit', { Secret: secretPlaceholder('KEY') }]);
  });

  it('sends requests once unless they are idempotent, with bodies in either form', async () => {
    const list = request({ body: [...Buffer.from('hello')], config: {} });
    const { asked, answers } = await run({ commands: [request(), list, request({ body: null, config: undefined })] });
    const fetches = asked.filter((intent) => intent.type === 'fetch');
    assert.deepEqual(fetches[0], {
      type: 'fetch',
      call: 1,
      method: 'POST',
      url: 'http://site/1',
      headers: [['x-one', 'a']],
      body: new Uint8Array(Buffer.from('hello')),
      redirect: 'follow',
      timeoutMs: 3_001,
      idempotent: true,
      key: null,
    });
    assert.deepEqual(
      [fetches[1]?.idempotent, fetches[1]?.timeoutMs, fetches[1]?.body],
      [false, 120_000, fetches[0]?.body],
    );
    assert.equal(fetches[2]?.body, null);
    const ok = (body: unknown): object => ({
      HTTPResponse: { Ok: { status_code: 200, url: 'http://site/1', headers: [], body } },
    });
    // The echo's body is the URL, and the first request wants 9 bytes of it.
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    assert.deepEqual(answers, [
      ok(base64('http://si')),
      ok([...Buffer.from('http://site/1')]),
      ok(base64('http://site/1')),
    ]);
  });

  it('is told why a request failed', async () => {
    const kind = async (code: string): Promise<unknown> => {
      const { answers } = await run({ commands: [request()] }, { performer: failing(code) });
      return answers[0];
    };
    const expected = (name: string, code: string): object => ({
      HTTPResponse: { Err: { Transport: { kind: name, message: `${code}: no`, url: 'http://site/1' } } },
    });
    assert.deepEqual(await kind('CONNECTION_LOST'), expected('ConnectionFailed', 'CONNECTION_LOST'));
    assert.deepEqual(await kind('OUTCOME_UNKNOWN'), expected('RequestInterrupted', 'OUTCOME_UNKNOWN'));
    assert.deepEqual(await kind('DEADLINE_EXCEEDED'), {
      HTTPResponse: { Err: { Transport: { kind: 'Io', message: 'timed out: no', url: 'http://site/1' } } },
    });
  });

  it('is told of a status from 400 on as an error with the response', async () => {
    const notFound: EffectPerformer = {
      fetch: async (order) => {
        const answer = await new EchoPerformer().fetch(order);
        return answer.type === 'fetched' ? { ...answer, response: { ...answer.response, status: 404 } } : answer;
      },
    };
    const { answers } = await run({ commands: [request()] }, { performer: notFound });
    const body = Buffer.from('http://si').toString('base64');
    const response = { status_code: 404, url: 'http://site/1', headers: [], body };
    assert.deepEqual(answers, [{ HTTPResponse: { Err: { Status: [404, response] } } }]);
  });

  it('draws values of every type, the same on every replay', async () => {
    const commands = [
      { Random: { Bool: false } },
      { Random: { I32: 0 } },
      { Random: { I64: 0 } },
      { Sleep: { secs: 0, nanos: 1 } },
      { Random: { F32: 0 } },
      { Random: { F64: 0 } },
    ];
    const first = await run({ commands });
    const again = await run({ commands }, { journal: new MemoryJournal(first.entries.slice(0, 3)) });
    assert.deepEqual(again.asked, first.asked);
    const value = (index: number, type: string): unknown =>
      (first.answers[index] as { Value: Record<string, unknown> }).Value[type];
    assert.equal(typeof value(0, 'Bool'), 'boolean');
    assert.ok(Math.abs(Number(value(1, 'I32'))) <= 2 ** 31 && Math.abs(Number(value(2, 'I64'))) <= 2 ** 63);
    assert.ok(Number(value(4, 'F32')) < 1 && Number(value(5, 'F64')) < 1);
    assert.notDeepEqual((await run({ commands })).answers, first.answers);
  });

  it('asks for text as the journal keeps it: without halves of characters', async () => {
    const lines = [`${'x'.repeat(16_383)}😀`, 'a\uD800b'];
    const { asked } = await run({ commands: lines.map((Info) => ({ Log: { Info } })) });
    const logged = asked.flatMap((intent) => (intent.type === 'log' ? [intent.text] : []));
    assert.ok(logged.includes(`${'x'.repeat(16_383)}\uFFFD`) && logged.includes('a\uFFFDb'));
    assert.ok(logged.every((text) => text.isWellFormed()));
  });

  it('says to who replays what is no part of the workflow', async () => {
    const { asked, answers } = await run({ commands: [{ ReplayDebug: 'look here' }] });
    assert.deepEqual(answers, ['Unit']);
    assert.ok(!JSON.stringify(asked).includes('look here'));
  });

  it('goes on from any place in its journal', async () => {
    const module = await flawlessModule({
      commands: [request(), { Sleep: { secs: 0, nanos: 1 } }, request(), { SendResponse: '"done"' }],
    });
    await using whole = await openTestEngine({ modules: { module } });
    const { entries } = await whole.finish('module');
    for (let cut = 1; cut < entries.length; cut += 1) {
      const performer = new EchoPerformer();
      await using engine = await openTestEngine({ modules: { module }, performer });
      const { end } = await engine.finish('module', { journal: new MemoryJournal(entries.slice(0, cut)) });
      assert.equal(resultOf(end), 'done', `cut at ${cut}`);
      const answered = entries.slice(0, cut).filter(({ kind }) => kind === 'answered').length;
      assert.deepEqual(
        performer.sent,
        answered === 0 ? ['j1:1:1', 'j1:1:3'] : answered < 3 ? ['j1:1:3'] : [],
        `cut at ${cut}`,
      );
    }
  });

  it('fails with what it logged last as an error when it panics, and as a trap when it said nothing', async () => {
    const panic = await run({ commands: [{ Log: { Error: 'panicked at main.rs:3' } }], end: 'unreachable' });
    assert.partialDeepStrictEqual(panic.result, { code: 'WORKFLOW_FAILED', message: 'panicked at main.rs:3' });
    assert.partialDeepStrictEqual((await run({ commands: [], end: 'unreachable' })).result, { code: 'GUEST_TRAPPED' });
  });

  it('ends with the command in the error when that is unknown or wrong', async () => {
    for (const command of [
      'Reboot',
      { Sleep: 5 },
      { Sleep: { secs: 1, nanos: 0 }, Log: { Info: '' } },
      { Random: { Dice: 0 } },
    ])
      assert.partialDeepStrictEqual(
        (await run({ commands: [command] })).result,
        { code: 'GUEST_PROTOCOL' },
        JSON.stringify(command),
      );
  });
});

describe('the messages of a flawless guest', () => {
  const start = {
    type: 'start',
    job: 'j',
    attempt: 1,
    workflow: 'main',
    input: '{}',
    seed: new Uint8Array(32),
  } as const;
  const open = async (commands: readonly unknown[]): Promise<ReturnType<typeof openFlawlessGuest>> => {
    const module = await prepareCore(await flawlessModule({ commands }), 1 << 24);
    return openFlawlessGuest(module, { wait: (ready) => ready, meter: new FuelMeter(testMetering()) });
  };
  const message = (call: number): { type: 'answer'; call: number; answer: Answer } => ({
    type: 'answer',
    call,
    answer: { type: 'message', item: 1, from: null, messageType: 'greeting', data: '{"a":1}' },
  });
  const slept = (call: number): { type: 'answer'; call: number; answer: Answer } => ({
    type: 'answer',
    call,
    answer: { type: 'slept' },
  });

  it('are received by type, and a timeout is a timer that is given up when a message comes', async () => {
    const guest = await open([{ RecvMessage: [{ secs: 1, nanos: 0 }, ['greeting']] }]);
    assert.deepEqual(await guest.step({ now: 1, events: [start] }), [
      { type: 'receive', types: ['greeting'], call: 1 },
      { type: 'sleep', ms: 1_000, call: 2 },
    ]);
    const intents = await guest.step({ now: 2, events: [message(1)] });
    assert.deepEqual(intents[0], { type: 'abandon', call: 2 });
    assert.deepEqual(answersIn(intents), [{ Message: ['greeting', '{"a":1}'] }]);
  });

  it('are given up when the time is over; what comes with the timer is not asked for again', async () => {
    const guest = await open([{ RecvMessage: [{ secs: 1, nanos: 0 }, []] }]);
    assert.deepEqual((await guest.step({ now: 1, events: [start] }))[0], { type: 'receive', types: null, call: 1 });
    const late = await guest.step({ now: 2, events: [slept(2)] });
    assert.deepEqual([late[0], answersIn(late)], [{ type: 'abandon', call: 1 }, ['Timeout']]);
    const both = await open([{ RecvMessage: [{ secs: 1, nanos: 0 }, []] }]);
    await both.step({ now: 1, events: [start] });
    const together = await both.step({ now: 2, events: [message(1), slept(2)] });
    assert.deepEqual(answersIn(together), [{ Message: ['greeting', '{"a":1}'] }]);
    assert.ok(!together.some(({ type }) => type === 'abandon'));
  });

  it('start a workflow of the same module', async () => {
    const guest = await open([{ StartWorkflow: ['other', '{"b": 2}'] }]);
    const [asked] = await guest.step({ now: 1, events: [start] });
    assert.partialDeepStrictEqual(asked, {
      type: 'start',
      workflow: 'shop@1.0.0/other',
      input: '{"b":2}',
      detached: true,
    });
    const intents = await guest.step({
      now: 2,
      events: [{ type: 'answer', call: 1, answer: { type: 'started', job: 'j:1:1' } }],
    });
    assert.deepEqual(answersIn(intents), [{ Value: { I64: 0 } }]);
    const refused = await open([{ StartWorkflow: ['none', '1'] }]);
    await refused.step({ now: 1, events: [start] });
    const error = { type: 'error', code: 'WORKFLOW_NOT_FOUND', message: 'no' } as const;
    assert.partialDeepStrictEqual(
      await refused.step({ now: 2, events: [{ type: 'answer', call: 1, answer: error }] }),
      [{ type: 'fail', code: 'WORKFLOW_NOT_FOUND' }],
    );
  });
});

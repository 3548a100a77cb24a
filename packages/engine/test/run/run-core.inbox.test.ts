/** Transcripts: every order in which messages, children, acknowledgements and steps may meet (docs/internals/inbox.md). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Answer, InboxBody, InboxItem, Intent, JournalEntry } from '@mvm-ci/protocol';
import type { RunCore } from '../../src/run/run-core.ts';
import type { RunOutput } from '../../src/run/run-output.ts';
import {
  answered,
  appended,
  complete,
  failureOf,
  fetchOf,
  intentsOf,
  newCore,
  replayed,
  sleep,
  slept,
  started,
  stepped,
  t0,
  types,
} from '../fixtures/run-core-events.ts';

const receive = (call: number, wanted: readonly string[] | null = null): Intent => ({
  type: 'receive',
  call,
  types: wanted,
});
const start = (call: number, job: string | null = null): Intent => ({
  type: 'start',
  call,
  job,
  workflow: 'child',
  input: '{}',
  attemptsMax: 1,
  detached: false,
});
const join = (call: number, job: string): Intent => ({ type: 'join', call, job });
const send = (call: number): Intent => ({ type: 'send', call, job: 'j2', messageType: 'm', data: '1' });
const abandon = (call: number): Intent => ({ type: 'abandon', call });

const item = (number: number, body: InboxBody): InboxItem => ({ number, at: t0, body });
const message = (number: number, messageType = 'm'): InboxItem =>
  item(number, { type: 'message', from: null, messageType, data: String(number) });
const child = (number: number, job: string): InboxItem =>
  item(number, { type: 'child', job, outcome: { type: 'completed', result: String(number) } });
const refused = (number: number, call: number): InboxItem =>
  item(number, { type: 'refused', call, error: { code: 'JOB_EXISTS', message: 'taken' } });

const told = (number: number, messageType = 'm'): Answer => ({
  type: 'message',
  item: number,
  from: null,
  messageType,
  data: String(number),
});
const joined = (number: number): Answer => ({
  type: 'joined',
  item: number,
  outcome: { type: 'completed', result: String(number) },
});
const startedAs = (job: string): Answer => ({ type: 'started', job });
const taken: Answer = { type: 'error', code: 'JOB_EXISTS', message: 'taken' };

/** Answers that the outputs journal, with the items that are consumed with them. */
const answersIn = (outputs: readonly RunOutput[]): readonly (readonly [number, Answer])[] =>
  appended(outputs).flatMap((entry) => (entry.kind === 'answered' ? [[entry.call, entry.answer] as const] : []));
const consumed = (outputs: readonly RunOutput[]): readonly number[] =>
  outputs
    .flatMap((output) => (output.type === 'append' || output.type === 'finish' ? (output.internal ?? []) : []))
    .flatMap((effect) => (effect.type === 'consume' ? effect.items : []));

/** A fresh attempt whose first step asked for these. */
const asking = (...intents: Intent[]): { core: RunCore; outputs: readonly RunOutput[] } => {
  const core = newCore();
  core.begin(t0);
  return { core, outputs: stepped(core, intents) };
};

describe('a receive', () => {
  it('listens from the last item that is known, and is answered by what comes', () => {
    const { core, outputs } = asking(receive(1));
    assert.deepEqual(outputs.at(-1), { type: 'listen', after: 0 });
    const heard = core.heard([message(1)], t0 + 5);
    assert.deepEqual(heard, [
      { type: 'append', entries: [answered(1, t0 + 5, told(1))], internal: [{ type: 'consume', items: [1] }] },
      { type: 'step' },
    ]);
  });

  it('is answered in the step that made it when the message was there before', () => {
    const core = newCore([], { inbox: [message(3)] });
    core.begin(t0);
    const outputs = stepped(core, [receive(1)]);
    assert.deepEqual(types(outputs), ['append', 'step']);
    assert.deepEqual(answersIn(outputs), [[1, told(3)]]);
    assert.deepEqual(consumed(outputs), [3]);
  });

  it('takes the oldest message of a type that it names, and leaves the others', () => {
    const { core } = asking(receive(1, ['b', 'c']));
    const outputs = core.heard([message(1, 'a'), message(2, 'c'), message(3, 'b')], t0);
    assert.deepEqual(answersIn(outputs), [[1, told(2, 'c')]]);
    assert.deepEqual(answersIn(stepped(core, [receive(2)])), [[2, told(1, 'a')]]);
  });

  it('keeps listening when nothing that came is wanted', () => {
    const { core } = asking(receive(1, ['b']));
    assert.deepEqual(core.heard([message(1, 'a')], t0), [{ type: 'listen', after: 1 }]);
    assert.deepEqual(core.heard([], t0), [{ type: 'listen', after: 1 }]);
  });

  it('gets its message before one that was made later, whichever of them was asked for first in time', () => {
    const { core } = asking(receive(1), receive(2), receive(3, ['x']));
    const outputs = core.heard([message(1), message(2, 'x'), message(3)], t0);
    assert.deepEqual(answersIn(outputs), [
      [1, told(1)],
      [2, told(2, 'x')],
    ]);
  });

  it('waits for the end of the step in which the message came', () => {
    const { core } = asking(receive(1), sleep(2));
    core.answered(2, slept, t0);
    assert.deepEqual(answersIn(core.heard([message(1)], t0)), []);
    const outputs = stepped(core, [sleep(3)]);
    assert.deepEqual(answersIn(outputs), [[1, told(1)]]);
    assert.deepEqual(consumed(outputs), [1]);
  });

  it('that is abandoned in that step leaves the message for the next one', () => {
    const { core } = asking(receive(1), sleep(2));
    core.answered(2, slept, t0);
    core.heard([message(1)], t0);
    const outputs = stepped(core, [abandon(1), sleep(3)]);
    assert.deepEqual(answersIn(outputs), []);
    assert.deepEqual(consumed(outputs), []);
    core.answered(3, slept, t0);
    assert.deepEqual(answersIn(stepped(core, [receive(4)])), [[4, told(1)]]);
  });

  it('stops the listening when it was the last one', () => {
    const { core } = asking(receive(1), sleep(2));
    core.answered(2, slept, t0);
    assert.ok(types(stepped(core, [abandon(1), sleep(3)])).includes('hush'));
  });

  it('does not get a message twice that comes again', () => {
    const { core } = asking(receive(1), receive(2));
    core.heard([message(1)], t0);
    stepped(core, [sleep(3)]);
    assert.deepEqual(answersIn(core.heard([message(1)], t0)), []);
  });

  it('is no reason to take the workflow for stuck', () => {
    const { outputs } = asking(receive(1));
    assert.ok(!types(outputs).includes('finish'));
  });
});

describe('a start', () => {
  it('goes with the entry that asks for it, as the last one of its append', () => {
    const { outputs } = asking(start(1));
    assert.deepEqual(outputs, [
      {
        type: 'append',
        entries: [intentsOf(start(1))],
        internal: [
          { type: 'start', call: 1, job: 'j1:1:1', workflow: 'child', input: '{}', attemptsMax: 1, detached: false },
        ],
      },
    ]);
    const { core } = asking(sleep(1), sleep(2));
    core.answered(1, slept, t0);
    core.answered(2, slept, t0);
    const appends = stepped(core, [start(3)]).filter(({ type }) => type === 'append');
    assert.deepEqual(
      appends.map((output) => appended([output]).map(({ kind }) => kind)),
      [['intents'], ['answered']],
    );
  });

  it('is answered when its entry is durable, and not before', () => {
    const { core } = asking(start(1));
    assert.deepEqual(core.durable(1, t0), []);
    assert.deepEqual(answersIn(core.durable(2, t0)), [[1, startedAs('j1:1:1')]]);
    assert.deepEqual(core.durable(2, t0), []);
  });

  it('is answered with the refusal that came with the acknowledgement, which is consumed', () => {
    const { core } = asking(start(1, 'mine'));
    const outputs = core.durable(2, t0, [refused(4, 1)]);
    assert.deepEqual(answersIn(outputs), [[1, taken]]);
    assert.deepEqual(consumed(outputs), [4]);
  });

  it('whose acknowledgement comes during a step is answered after it', () => {
    const { core } = asking(start(1), sleep(2));
    core.answered(2, slept, t0);
    assert.deepEqual(core.durable(2, t0), []);
    assert.deepEqual(answersIn(stepped(core, [sleep(3)])), [[1, startedAs('j1:1:1')]]);
  });

  it('hears of an item with a lower number than that of a refusal later, and loses none', () => {
    const { core } = asking(start(1), receive(2));
    core.durable(2, t0, [refused(5, 1)]);
    const outputs = stepped(core, [sleep(3)]);
    assert.deepEqual(answersIn(outputs), []);
    const heard = core.heard([message(4), refused(5, 1)], t0);
    assert.deepEqual(answersIn(heard), [[2, told(4)]]);
    assert.deepEqual(consumed(heard), [4], 'the refusal was consumed before');
  });

  it('takes effect also when the guest does not wait for its answer, and its refusal is cleared away', () => {
    const { core, outputs } = asking(start(1), abandon(1), sleep(2));
    assert.equal(appended(outputs).length, 1);
    assert.ok(outputs.some((output) => output.type === 'append' && output.internal?.[0]?.type === 'start'));
    assert.deepEqual(core.durable(2, t0, [refused(1, 1)]), []);
    assert.deepEqual(consumed(core.answered(2, slept, t0)), [1]);
  });

  it('in the last step is part of the entry that asks for it, before the end', () => {
    const { outputs } = asking(start(1), { type: 'respond', value: '2' }, complete);
    assert.deepEqual(types(outputs), ['append', 'abort', 'finish'].toSorted());
    const [append] = outputs.filter((output) => output.type === 'append');
    assert.deepEqual(
      append?.internal?.map(({ type }) => type),
      ['start', 'respond'],
    );
  });
});

describe('a join', () => {
  it('is answered by the end of the child, whether that came before it or comes after', () => {
    const { core } = asking(start(1));
    core.durable(2, t0);
    stepped(core, [join(2, 'j1:1:1')]);
    const outputs = core.heard([child(1, 'j1:1:1')], t0);
    assert.deepEqual(answersIn(outputs), [[2, joined(1)]]);
    assert.deepEqual(consumed(outputs), [1]);

    const later = newCore([], { inbox: [child(7, 'j1:1:1')] });
    later.begin(t0);
    stepped(later, [start(1)]);
    later.durable(2, t0);
    assert.deepEqual(answersIn(stepped(later, [join(2, 'j1:1:1')])), [[2, joined(7)]]);
  });

  it('of a child that was joined before is answered again, and consumes nothing more', () => {
    const { core } = asking(start(1));
    core.durable(2, t0);
    stepped(core, [join(2, 'j1:1:1'), join(3, 'j1:1:1')]);
    const both = core.heard([child(1, 'j1:1:1')], t0);
    assert.deepEqual(answersIn(both), [
      [2, joined(1)],
      [3, joined(1)],
    ]);
    assert.deepEqual(consumed(both), [1]);
    const again = stepped(core, [join(4, 'j1:1:1')]);
    assert.deepEqual(answersIn(again), [[4, joined(1)]]);
    assert.deepEqual(consumed(again), []);
  });

  it('of a job that this attempt did not start is answered with an error instead of waiting for ever', () => {
    const { outputs } = asking(join(1, 'stranger'));
    const [[, answer] = [0, slept]] = answersIn(outputs);
    assert.equal(answer.type === 'error' && answer.code, 'JOB_NOT_FOUND');
  });

  it('of a child whose start was refused is answered with that refusal', () => {
    const { core } = asking(start(1, 'mine'), join(2, 'mine'));
    assert.deepEqual(answersIn(core.durable(2, t0, [refused(1, 1)])), [
      [1, taken],
      [2, taken],
    ]);
  });

  it('knows from its journal which children there are and how they ended', () => {
    const journal: JournalEntry[] = [
      started,
      intentsOf(start(1)),
      answered(1, t0, startedAs('j1:1:1')),
      intentsOf(join(2, 'j1:1:1')),
      answered(2, t0, joined(1)),
      intentsOf(start(3), sleep(4)),
      answered(3, t0, startedAs('j1:1:3')),
      intentsOf(join(5, 'j1:1:3'), join(6, 'j1:1:1')),
    ];
    const outputs = replayed(newCore(journal, { inbox: [child(2, 'j1:1:3')] }));
    assert.deepEqual(answersIn(outputs), [
      [5, joined(2)],
      [6, joined(1)],
    ]);
    assert.deepEqual(consumed(outputs), [2]);
  });
});

describe('an attempt that is continued', () => {
  it('takes a start or send whose entry is durable for done, unless the inbox says that it was refused', () => {
    const journal = [started, intentsOf(start(1), send(2), start(3, 'mine'))];
    const outputs = replayed(newCore(journal, { inbox: [message(1), refused(2, 3)] }));
    assert.deepEqual(answersIn(outputs), [
      [1, startedAs('j1:1:1')],
      [2, { type: 'sent' }],
      [3, taken],
    ]);
    assert.deepEqual(consumed(outputs), [2]);
    assert.ok(
      !outputs.some((output) => output.type === 'append' && output.internal?.some(({ type }) => type === 'start')),
    );
  });

  it('finds the message that came while nobody ran it', () => {
    const outputs = replayed(newCore([started, intentsOf(receive(1))], { inbox: [message(9)] }));
    assert.deepEqual(answersIn(outputs), [[1, told(9)]]);
  });

  it('listens after what it was given', () => {
    const outputs = replayed(newCore([started, intentsOf(receive(1, ['x']))], { inbox: [message(9)] }));
    assert.deepEqual(outputs, [{ type: 'listen', after: 9 }]);
  });

  it('clears away items that its journal has told of already', () => {
    const journal = [started, intentsOf(receive(1)), answered(1, t0, told(1)), intentsOf(receive(2))];
    const outputs = replayed(newCore(journal, { inbox: [message(1), message(2)] }));
    assert.deepEqual(answersIn(outputs), [[2, told(2)]]);
    assert.deepEqual(
      consumed(outputs).toSorted((a, b) => a - b),
      [1, 2],
    );
  });

  it('responds early once, also over a crash', () => {
    const respond: Intent = { type: 'respond', value: '1' };
    const core = newCore([started, intentsOf(respond, sleep(1)), answered(1, t0)]);
    core.begin(t0);
    const outputs = stepped(core, [respond, sleep(2)]);
    assert.ok(!outputs.some((output) => output.type === 'append' && output.internal !== undefined));
  });
});

describe('a rest', () => {
  const suspendAfterMs = 1_000;
  const resting = (...intents: Intent[]): { core: RunCore; outputs: readonly RunOutput[] } => {
    const core = newCore([], { suspendAfterMs, inbox: [message(2, 'other')] });
    core.begin(t0);
    return { core, outputs: stepped(core, intents) };
  };
  const endOf = (outputs: readonly RunOutput[]): unknown => {
    const last = outputs.at(-1);
    return last?.type === 'finish' ? last.outcome : last?.type;
  };

  it('that is only a long sleep suspends at once, in the transaction of its entry', () => {
    const { outputs } = resting(sleep(1, 60_000.5));
    assert.deepEqual(endOf(outputs), { type: 'suspended', wakeAt: t0 + 60_001, seen: 2 });
    assert.deepEqual(types(outputs), ['append', 'abort', 'finish']);
  });

  it('that is only a short sleep waits for it', () => {
    const { outputs } = resting(sleep(1, 1_000), sleep(2, 60_000));
    assert.deepEqual(types(outputs), ['append', 'wake', 'wake']);
  });

  it('that listens suspends when nothing came for a while, with the number of the last item that it knows', () => {
    const { core, outputs } = resting(receive(1, ['m']), sleep(2, 60_000));
    assert.ok(outputs.some((output) => output.type === 'rest' && output.ms === suspendAfterMs));
    core.heard([message(3, 'other')], t0 + 500);
    assert.deepEqual(endOf(core.rested(t0 + 1_000)), { type: 'suspended', wakeAt: t0 + 60_000, seen: 3 });
  });

  it('without a sleep waits for an item for ever', () => {
    const { core } = resting(receive(1, ['m']));
    assert.deepEqual(endOf(core.rested(t0 + 1_000)), { type: 'suspended', wakeAt: null, seen: 2 });
  });

  it('does not suspend what sleeps for little more, nor what waits for a request or for an acknowledgement', () => {
    assert.deepEqual(resting(receive(1, ['m']), sleep(2, 1_500)).core.rested(t0 + 1_000), []);
    assert.deepEqual(resting(receive(1, ['m']), fetchOf(2)).core.rested(t0 + 1_000), []);
    assert.deepEqual(resting(receive(1, ['m']), send(2)).core.rested(t0 + 1_000), []);
  });

  it('that is over when its time has passed suspends nothing', () => {
    const { core } = resting(receive(1, ['m']));
    core.heard([message(3)], t0 + 999);
    assert.deepEqual(core.rested(t0 + 1_000), []);
  });

  it('that suspended hears no message any more: its number is above what was seen', () => {
    const { core } = resting(receive(1, ['m']));
    core.rested(t0 + 1_000);
    assert.deepEqual(core.heard([message(3)], t0 + 1_001), []);
  });

  it('goes on after a suspension with the message that woke it, and with what is left of its sleep', () => {
    const journal = [started, intentsOf(receive(1, ['m']), sleep(2, 60_000))];
    const core = newCore(journal, { suspendAfterMs, inbox: [message(2, 'other'), message(3)] });
    const outputs = replayed(core, t0 + 30_000);
    assert.deepEqual(outputs, [
      { type: 'wake', call: 2, atMs: t0 + 60_000 },
      { type: 'append', entries: [answered(1, t0 + 30_000, told(3))], internal: [{ type: 'consume', items: [3] }] },
      { type: 'step' },
    ]);
  });
});

describe('the end of an attempt that waits', () => {
  it('is a release or a cancellation like any other', () => {
    const waiting = asking(receive(1)).core;
    assert.deepEqual(types(waiting.cancel()), ['abort', 'finish']);
    assert.deepEqual(waiting.heard([message(1)], t0), []);
    const released = asking(receive(1)).core;
    assert.deepEqual(types(released.release()), ['abort', 'finish']);
  });

  it('leaves a message that came in the step after which it is released', () => {
    const { core } = asking(receive(1), sleep(2));
    core.answered(2, slept, t0);
    core.release();
    core.heard([message(1)], t0);
    const outputs = stepped(core, [sleep(3)]);
    assert.deepEqual([types(outputs), consumed(outputs)], [['finish'], []]);
  });

  it('fails an attempt whose guest does not catch a refusal, and may be tried again only for the queue', () => {
    const core = newCore();
    core.begin(t0);
    const failure = failureOf(
      stepped(core, [{ type: 'fail', code: 'JOB_EXISTS', name: 'Error', message: 'taken', stack: '' }]),
    );
    assert.deepEqual([failure.code, failure.retryable], ['JOB_EXISTS', false]);
  });
});

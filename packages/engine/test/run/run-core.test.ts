import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Intent } from '@mvm-ci/protocol';
import {
  t0,
  slept,
  seed,
  newCore,
  fetchOf,
  sleep,
  complete,
  started,
  intentsOf,
  answered,
  types,
  stepped,
  fetchedBytes,
  failureOf,
  appended,
} from '../fixtures/run-core-events.ts';

describe('a fresh attempt', () => {
  it('journals its start and steps the guest', () => {
    const core = newCore();
    const outputs = core.begin(t0);
    assert.deepEqual(outputs, [{ type: 'append', entries: [started] }, { type: 'step' }]);
    assert.deepEqual(core.stepsFrom(0), [
      {
        activation: {
          now: t0,
          events: [{ type: 'start', job: 'j1', attempt: 1, workflow: 'main', input: '{}', seed }],
        },
        recorded: null,
      },
    ]);
  });

  it('starts a request only when the entry that asked for it is durable (I4)', () => {
    const core = newCore();
    core.begin(t0);
    assert.deepEqual(types(stepped(core, [fetchOf(1)])), ['append']);
    assert.deepEqual(core.durable(1, t0), []);
    assert.deepEqual(core.durable(2, t0), [{ type: 'fetch', intent: fetchOf(1) }]);
    assert.deepEqual(core.durable(2, t0), [], 'and only once');
  });

  it('starts a timer at once, from the time of the activation', () => {
    const core = newCore();
    core.begin(t0);
    const outputs = stepped(core, [sleep(1, 250)], t0 + 40);
    assert.deepEqual(outputs.at(-1), { type: 'wake', call: 1, atMs: t0 + 250 });
  });

  it('journals an answer before it steps the guest with it', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [sleep(1)]);
    const outputs = core.answered(1, slept, t0 + 100);
    assert.deepEqual(outputs, [{ type: 'append', entries: [answered(1, t0 + 100)] }, { type: 'step' }]);
    assert.deepEqual(core.stepsFrom(1), [
      { activation: { now: t0 + 100, events: [{ type: 'answer', call: 1, answer: slept }] }, recorded: null },
    ]);
  });

  it('keeps answers that come during a step until its intents are journalled (rule 3)', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [sleep(1), sleep(2), sleep(3)]);
    core.answered(1, slept, t0 + 1);
    assert.deepEqual(core.answered(2, slept, t0 + 2), []);
    assert.deepEqual(core.answered(3, slept, t0 + 3), []);
    const outputs = stepped(core, [sleep(4)], t0 + 5);
    assert.deepEqual(appended(outputs), [intentsOf(sleep(4)), answered(2, t0 + 5), answered(3, t0 + 5)]);
    assert.deepEqual(types(outputs), ['append', 'step', 'wake']);
  });

  it('never lets guest time go back, whatever the host clock does (rule 6)', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [sleep(1)]);
    assert.deepEqual(appended(core.answered(1, slept, t0 - 5_000)), [answered(1, t0)]);
  });

  it('finishes with the intents, the completion and the outcome in one go (rule 8)', () => {
    const core = newCore();
    core.begin(t0);
    const outputs = stepped(core, [complete], t0 + 9);
    assert.deepEqual(outputs, [
      {
        type: 'finish',
        entries: [intentsOf(complete), { kind: 'completed', at: t0 + 9, result: '1' }],
        outcome: { type: 'completed', result: '1' },
      },
    ]);
  });

  it('starts nothing that a finished workflow left behind', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [sleep(1), fetchOf(2)]);
    core.answered(1, slept, t0 + 1);
    const outputs = stepped(core, [fetchOf(3), complete]);
    assert.deepEqual(types(outputs), ['abort', 'abort', 'finish']);
    assert.deepEqual(core.durable(99, t0), []);
    assert.deepEqual(core.answered(2, slept, t0), []);
  });

  it('takes a workflow that waits for nothing and did not end for stuck (rule 7)', () => {
    const core = newCore();
    core.begin(t0);
    const failure = failureOf(stepped(core, []));
    assert.equal(failure.code, 'WORKFLOW_STUCK');
    assert.equal(failure.retryable, false);
  });

  it('reports the latest progress with the entries that brought it', () => {
    const core = newCore();
    core.begin(t0);
    const [append] = stepped(core, [
      { type: 'progress', percent: 10, text: 'a' },
      { type: 'progress', percent: 20, text: 'b' },
      sleep(1),
    ]);
    assert.equal(append?.type, 'append');
    assert.deepEqual(append.progress, { percent: 20, text: 'b' });
  });
});

describe('calls', () => {
  const protocolError = (...intents: Intent[]): string => {
    const core = newCore();
    core.begin(t0);
    const failure = failureOf(stepped(core, intents));
    assert.equal(failure.code, 'GUEST_PROTOCOL');
    return failure.message;
  };

  it('must be numbered from 1 without a gap', () => {
    assert.match(protocolError(sleep(2)), /call 1 comes next, received 2/);
    assert.match(protocolError(sleep(1), sleep(1)), /call 2 comes next, received 1/);
  });

  it('can only be abandoned after they were made', () => {
    assert.match(protocolError({ type: 'abandon', call: 1 }), /call 1 can't be abandoned/);
  });

  it('can not follow the end of the workflow', () => {
    assert.match(protocolError(complete, sleep(1)), /"complete" must be the last intent/);
  });

  it('are dropped when the guest abandons them, with an answer that was waiting already (rule 5)', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [sleep(1), sleep(2), sleep(3)]);
    core.answered(1, slept, t0 + 1);
    core.answered(2, slept, t0 + 1);
    const outputs = stepped(core, [{ type: 'abandon', call: 2 }]);
    assert.deepEqual(outputs[0], { type: 'abort', call: 2 });
    assert.deepEqual(appended(outputs), [intentsOf({ type: 'abandon', call: 2 })]);
    assert.deepEqual(core.answered(2, slept, t0), []);
  });

  it('may be abandoned in the step that made them: then they never start', () => {
    const core = newCore();
    core.begin(t0);
    const outputs = stepped(core, [sleep(1), fetchOf(2), { type: 'abandon', call: 2 }]);
    assert.deepEqual(types(outputs), ['append', 'wake']);
    assert.deepEqual(core.durable(2, t0), []);
  });

  it('may be abandoned after their answer came', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [sleep(1), sleep(2)]);
    core.answered(1, slept, t0);
    assert.deepEqual(types(stepped(core, [{ type: 'abandon', call: 1 }])), ['append']);
  });

  it('are answered at most once', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [sleep(1), sleep(2)]);
    core.answered(1, slept, t0);
    assert.deepEqual(core.answered(1, slept, t0), []);
    core.answered(2, slept, t0);
    core.answered(2, slept, t0);
    assert.equal(appended(stepped(core, [sleep(3)])).length, 2);
  });

  it('of more bytes than may wait for a step become LIMIT_EXCEEDED', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [sleep(1), ...Array.from({ length: 9 }, (_, index) => fetchOf(index + 2))]);
    core.answered(1, slept, t0);
    for (let call = 2; call <= 10; call += 1) core.answered(call, fetchedBytes(8_000_000), t0);
    const answers = appended(stepped(core, [])).flatMap((entry) => (entry.kind === 'answered' ? [entry.answer] : []));
    assert.deepEqual(
      answers.map((answer) => (answer.type === 'error' ? answer.code : answer.type)),
      [...Array.from({ length: 8 }, () => 'fetched'), 'LIMIT_EXCEEDED'],
    );
  });

  it('may not be more than the limit at a time', () => {
    const core = newCore();
    core.begin(t0);
    const failure = failureOf(
      stepped(
        core,
        Array.from({ length: 1_001 }, (_, index) => sleep(index + 1)),
      ),
    );
    assert.equal(failure.code, 'LIMIT_EXCEEDED');
    assert.match(failure.message, /at most 1000 .* 1001/);
  });
});

describe('the end from outside', () => {
  it('cancels at once, also in the middle of a step', () => {
    const core = newCore();
    core.begin(t0);
    assert.deepEqual(core.cancel(), [{ type: 'finish', entries: [], outcome: { type: 'cancelled' } }]);
    assert.deepEqual(stepped(core, [complete]), []);
    assert.deepEqual(core.cancel(), []);
  });

  it('releases at rest without a word, aborting what is in flight', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [fetchOf(1)]);
    assert.deepEqual(types(core.release()), ['abort', 'finish']);
    assert.deepEqual(core.durable(2, t0), []);
  });

  it('ships the step that is being taken, and the answers that waited for it, before it is released', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [sleep(1), sleep(2)]);
    core.answered(1, slept, t0);
    core.answered(2, slept, t0);
    assert.deepEqual(types(core.release()), ['abort']);
    const outputs = stepped(core, [fetchOf(3)]);
    assert.deepEqual(types(outputs), ['finish']);
    assert.deepEqual(
      appended(outputs).map(({ kind }) => kind),
      ['intents', 'answered'],
    );
  });

  it('lets a workflow that completes in its last step complete', () => {
    const core = newCore();
    core.begin(t0);
    core.release();
    const last = stepped(core, [complete]).at(-1);
    assert.ok(last?.type === 'finish');
    assert.equal(last.outcome.type, 'completed');
  });

  it('ships the answers that waited for a step whose guest was lost, as what they answer may not be sent again', () => {
    const core = newCore();
    core.begin(t0);
    stepped(core, [fetchOf(1, { method: 'POST' }), sleep(2)]);
    core.answered(2, slept, t0 + 1);
    core.answered(1, slept, t0 + 2);
    core.release();
    assert.deepEqual(core.stepped({ type: 'lost' }, t0 + 3), [
      { type: 'finish', entries: [answered(1, t0 + 3)], outcome: { type: 'released' } },
    ]);
  });

  it('rebuilds a guest that was lost, unless it is being released', () => {
    const core = newCore();
    core.begin(t0);
    assert.deepEqual(core.stepped({ type: 'lost' }, t0), [{ type: 'step' }]);
    core.release();
    assert.deepEqual(core.stepped({ type: 'lost' }, t0), [
      { type: 'finish', entries: [], outcome: { type: 'released' } },
    ]);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Answer, FetchIntent, Intent, JournalEntry } from '@mvm-ci/protocol';
import { RunCore, type RunOutput, type RunStart } from '../../src/run/run-core.ts';

const t0 = 1_760_000_000_000;
const slept: Answer = { type: 'slept' };
const seed = new Uint8Array(32).fill(1);

const start = (journal: readonly JournalEntry[] = []): RunStart => ({
  job: 'j1',
  attempt: 1,
  module: 'm',
  runtime: 'r',
  workflow: 'main',
  input: '{}',
  seed,
  journal,
});
const newCore = (journal: readonly JournalEntry[] = []): RunCore => new RunCore(start(journal), (stack) => stack);

const fetchOf = (call: number, more: Partial<FetchIntent> = {}): FetchIntent => ({
  type: 'fetch',
  call,
  method: 'GET',
  url: 'http://site/',
  headers: [],
  body: null,
  redirect: 'follow',
  timeoutMs: 1_000,
  idempotent: null,
  key: null,
  ...more,
});
const sleep = (call: number, ms = 100): Intent => ({ type: 'sleep', call, ms });
const complete: Intent = { type: 'complete', result: '1' };
const started: JournalEntry = {
  kind: 'started',
  at: t0,
  job: 'j1',
  attempt: 1,
  module: 'm',
  runtime: 'r',
  workflow: 'main',
  input: '{}',
  seed,
};
const intentsOf = (...intents: Intent[]): JournalEntry => ({ kind: 'intents', intents });
const answered = (call: number, at: number, answer: Answer = slept): JournalEntry => ({
  kind: 'answered',
  at,
  call,
  answer,
});

const types = (outputs: readonly RunOutput[]): readonly string[] => outputs.map(({ type }) => type);
const stepped = (core: RunCore, intents: readonly Intent[], now = t0): readonly RunOutput[] =>
  core.stepped({ type: 'stepped', intents }, now);
/** Continues a journal without a tail: what comes after the replay. */
const replayed = (core: RunCore, now = t0): readonly RunOutput[] => {
  assert.deepEqual(core.begin(now), [{ type: 'step' }]);
  return stepped(core, [], now);
};
const failureOf = (outputs: readonly RunOutput[]): { code: string; message: string; retryable: boolean } => {
  const last = outputs.at(-1);
  assert.equal(last?.type, 'finish');
  assert.equal(last.outcome.type, 'failed');
  return { ...last.outcome.error, retryable: last.outcome.retryable };
};
const appended = (outputs: readonly RunOutput[]): readonly JournalEntry[] =>
  outputs.flatMap((output) => (output.type === 'append' || output.type === 'finish' ? output.entries : []));

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
    assert.deepEqual(core.durable(1), []);
    assert.deepEqual(core.durable(2), [{ type: 'fetch', intent: fetchOf(1) }]);
    assert.deepEqual(core.durable(2), [], 'and only once');
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
    assert.deepEqual(core.durable(99), []);
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
    assert.deepEqual(core.durable(2), []);
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

describe('a journal that is continued', () => {
  it('feeds the recorded steps with what they asked for, and then what came after them', () => {
    const core = newCore([started, intentsOf(sleep(1)), answered(1, t0 + 100)]);
    assert.deepEqual(core.begin(t0 + 500), [{ type: 'step' }]);
    const [first, second] = core.stepsFrom(0);
    assert.deepEqual(first?.recorded, [sleep(1)]);
    assert.equal(second?.recorded, null);
    assert.equal(second?.activation.now, t0 + 100, 'at the recorded time');
  });

  it('lets a timer run for what is left of it', () => {
    const core = newCore([started, intentsOf(sleep(1, 60_000))]);
    assert.deepEqual(replayed(core, t0 + 50_000), [{ type: 'wake', call: 1, atMs: t0 + 60_000 }]);
  });

  it('sends an idempotent request again and answers any other with OUTCOME_UNKNOWN (I5)', () => {
    const post = fetchOf(2, { method: 'POST' });
    const core = newCore([started, intentsOf(fetchOf(1), post)]);
    const outputs = replayed(core, t0 + 1);
    assert.deepEqual(types(outputs), ['fetch', 'append', 'step']);
    assert.deepEqual(outputs[0], { type: 'fetch', intent: fetchOf(1) });
    const [entry] = appended(outputs);
    assert.ok(entry?.kind === 'answered' && entry.answer.type === 'error');
    assert.equal(entry.call, 2);
    assert.equal(entry.answer.code, 'OUTCOME_UNKNOWN');
  });

  it('believes the author about which requests may be sent again', () => {
    const journal = [
      started,
      intentsOf(fetchOf(1, { method: 'POST', idempotent: true }), fetchOf(2, { idempotent: false })),
    ];
    const outputs = replayed(newCore(journal));
    assert.deepEqual(types(outputs), ['fetch', 'append', 'step']);
  });

  it('journals an unknown outcome after the step that was cut off', () => {
    const post = fetchOf(1, { method: 'POST' });
    const core = newCore([started, intentsOf(post, sleep(2)), answered(2, t0 + 5)]);
    assert.deepEqual(types(core.begin(t0 + 9)), ['step']);
    const entries = appended(stepped(core, [], t0 + 10));
    assert.deepEqual(
      entries.map(({ kind }) => kind),
      ['intents', 'answered'],
    );
  });

  it('does not perform again what was answered, abandoned or never asked for', () => {
    const journal = [
      started,
      intentsOf(fetchOf(1), fetchOf(2), sleep(3)),
      answered(1, t0 + 1),
      intentsOf({ type: 'abandon', call: 2 }),
    ];
    assert.deepEqual(types(replayed(newCore(journal), t0 + 2)), ['wake']);
  });

  it('performs nothing of what is open when the replay diverges', () => {
    const core = newCore([started, intentsOf(fetchOf(1), sleep(2))]);
    core.begin(t0);
    const outputs = core.stepped({ type: 'diverged', index: 0, asked: [sleep(1)] }, t0);
    assert.equal(failureOf(outputs).code, 'NONDETERMINISM');
    assert.ok(!types(outputs).some((type) => type === 'fetch' || type === 'wake'));
  });

  it('is given back by a release during its replay, with nothing performed', () => {
    const core = newCore([started, intentsOf(fetchOf(1))]);
    core.begin(t0);
    core.release();
    assert.deepEqual(stepped(core, []), [{ type: 'finish', entries: [], outcome: { type: 'released' } }]);
  });

  it('goes on numbering calls where it was', () => {
    const core = newCore([started, intentsOf(sleep(1), sleep(2)), answered(1, t0)]);
    core.begin(t0);
    assert.equal(failureOf(stepped(core, [sleep(2)])).code, 'GUEST_PROTOCOL');
  });

  it('ends with NONDETERMINISM that names the entry and both sides when a step asks for something else (I6)', () => {
    const core = newCore([started, intentsOf(sleep(1)), answered(1, t0), intentsOf(sleep(2, 5)), answered(2, t0)]);
    core.begin(t0);
    const outputs = core.stepped({ type: 'diverged', index: 1, asked: [fetchOf(2)] }, t0);
    const failure = failureOf(outputs);
    assert.equal(failure.code, 'NONDETERMINISM');
    assert.equal(failure.retryable, false);
    assert.match(
      failure.message,
      /^entry 3: its journal says sleep #2 of 5 ms, .* asked for fetch #2 GET http:\/\/site\//,
    );
    assert.deepEqual(
      appended(outputs).map(({ kind }) => kind),
      ['failed'],
    );
  });

  it('finishes at once when only the finish is missing', () => {
    const core = newCore([started, intentsOf(complete)]);
    const outputs = core.begin(t0 + 3);
    assert.deepEqual(outputs, [
      {
        type: 'finish',
        entries: [{ kind: 'completed', at: t0 + 3, result: '1' }],
        outcome: { type: 'completed', result: '1' },
      },
    ]);
  });

  it('reports an end that is recorded as it was', () => {
    const ended = newCore([started, intentsOf(complete), { kind: 'completed', at: t0, result: '1' }]).begin(t0);
    assert.deepEqual(ended, [{ type: 'finish', entries: [], outcome: { type: 'completed', result: '1' } }]);
    const failed = newCore([started, { kind: 'failed', at: t0, code: 'WORKFLOW_STUCK', message: 'm' }]).begin(t0);
    assert.equal(failureOf(failed).code, 'WORKFLOW_STUCK');
    assert.deepEqual(appended(failed), []);
  });

  it('is refused when it belongs to another job or does not begin with a start', () => {
    const other = failureOf(newCore([{ ...started, job: 'other' }]).begin(t0));
    assert.equal(other.code, 'JOURNAL_CORRUPT');
    assert.match(other.message, /job "other", the job says/);
    assert.equal(failureOf(newCore([answered(1, t0)]).begin(t0)).code, 'JOURNAL_CORRUPT');
  });

  it('of another module is judged by what that module asks for, not by its name', () => {
    const outputs = newCore([{ ...started, module: 'other' }]).begin(t0);
    assert.deepEqual(
      outputs.map(({ type }) => type),
      ['step'],
    );
  });
});

describe('an attempt that fails', () => {
  const thrown = (
    code: string,
    name = 'TypeError',
    message = 'm',
  ): { code: string; retryable: boolean; message: string } => {
    const core = newCore();
    core.begin(t0);
    return failureOf(stepped(core, [{ type: 'fail', code, name, message, stack: '    at main (src/a.ts:3:5)' }]));
  };

  it('may be tried again after a throw of the author, and not after an unknown outcome', () => {
    assert.deepEqual([thrown('WORKFLOW_FAILED').code, thrown('WORKFLOW_FAILED').retryable], ['WORKFLOW_FAILED', true]);
    assert.deepEqual([thrown('CONNECTION_LOST').code, thrown('CONNECTION_LOST').retryable], ['CONNECTION_LOST', true]);
    assert.deepEqual([thrown('OUTCOME_UNKNOWN').code, thrown('OUTCOME_UNKNOWN').retryable], ['OUTCOME_UNKNOWN', false]);
  });

  it('can not claim a code that only the system gives', () => {
    assert.equal(thrown('STALE_LEASE').code, 'WORKFLOW_FAILED');
    assert.equal(thrown('no code of ours').code, 'WORKFLOW_FAILED');
  });

  it('names the place in the source and tells exhausted memory apart', () => {
    assert.equal(thrown('WORKFLOW_FAILED').message, 'TypeError: m (src/a.ts:3:5)');
    assert.equal(thrown('WORKFLOW_FAILED', 'InternalError', 'out of memory').code, 'OUT_OF_MEMORY');
  });

  it('is not tried again when the guest broke a rule', () => {
    const core = newCore();
    core.begin(t0);
    const facts = { code: 'GUEST_TRAPPED', message: 'unreachable' } as const;
    const failure = failureOf(core.stepped({ type: 'faulted', facts }, t0));
    assert.deepEqual([failure.code, failure.retryable], ['GUEST_TRAPPED', false]);
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
    assert.deepEqual(core.durable(2), []);
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

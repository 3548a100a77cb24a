import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  t0,
  newCore,
  fetchOf,
  sleep,
  complete,
  started,
  intentsOf,
  answered,
  types,
  stepped,
  replayed,
  failureOf,
  appended,
} from '../fixtures/run-core-events.ts';

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

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { limits, type Intent, type JournalEntry } from '@mvm-ci/protocol';
import type { RunCore } from '../../src/run/run-core.ts';
import { decodeHead, encodeHead, type RunHead } from '../../src/run/run-head.ts';
import type { RunOutput } from '../../src/run/run-output.ts';
import { appended, complete, fetchedBytes, fetchOf, newCore, sleep, stepped, t0 } from '../fixtures/run-core-events.ts';

const start = (call: number, job: string | null, more = {}): Intent => ({
  type: 'start',
  call,
  job,
  workflow: 'w',
  input: '{}',
  attemptsMax: 1,
  detached: false,
  ...more,
});

/** What an attempt is told, in turns: what its guest asks for next, or what happens. */
const story: readonly ((core: RunCore, now: number) => readonly RunOutput[])[] = [
  (core, now) => core.begin(now),
  (core, now) => stepped(core, [fetchOf(1), fetchOf(2, { method: 'POST' }), sleep(3, 90_000)], now),
  (core, now) => core.answered(2, fetchedBytes(3), now),
  (core, now) => stepped(core, [start(4, 'own'), start(5, 'taken'), start(6, null)], now),
  (core, now) =>
    core.durable(99, now, [
      { number: 1, at: now, body: { type: 'refused', call: 5, error: { code: 'JOB_EXISTS', message: 'taken' } } },
    ]),
  (core, now) => stepped(core, [{ type: 'join', call: 7, job: 'own' }], now),
  (core, now) =>
    core.heard(
      [{ number: 2, at: now, body: { type: 'child', job: 'own', outcome: { type: 'completed', result: '7' } } }],
      now,
    ),
  (core, now) =>
    stepped(
      core,
      [
        { type: 'respond', value: '"early"' },
        { type: 'receive', call: 8, types: ['go'] },
        { type: 'abandon', call: 1 },
      ],
      now,
    ),
  (core, now) =>
    core.heard([{ number: 3, at: now, body: { type: 'message', from: null, messageType: 'go', data: '1' } }], now),
  (core, now) => stepped(core, [{ type: 'receive', call: 9, types: null }], now),
  (core, now) => core.answered(3, { type: 'slept' }, now),
  (core, now) => stepped(core, [complete], now),
];

interface Told {
  readonly entries: readonly JournalEntry[];
  readonly heads: readonly RunHead[];
}

/** Plays the story, and takes a head wherever there is one. */
const told = (): Told => {
  const core = newCore();
  const entries: JournalEntry[] = [];
  const heads: RunHead[] = [];
  for (const [index, turn] of story.entries()) {
    entries.push(...appended(turn(core, t0 + 1_000 * index)));
    if (core.head) heads.push(core.head);
  }
  return { entries, heads };
};

const entriesBehind = (core: RunCore): number | undefined => core.head?.entries;

describe('the head of a run', () => {
  it('stands for its entries: a core that goes on from it does what one with the whole journal does', () => {
    const { entries, heads } = told();
    assert.deepEqual([entries.at(-1)?.kind, heads.length], ['completed', 5]);
    const now = t0 + 100_000;
    for (const taken of heads) {
      const bytes = encodeHead(taken);
      const head = bytes && decodeHead(bytes);
      assert.deepEqual(head, taken);
      assert.equal(entries[taken.entries - 1]?.kind, 'intents');
      for (let count = taken.entries; count <= entries.length; count += 1) {
        const whole = newCore(entries.slice(0, count));
        const resumed = newCore(entries.slice(taken.entries, count), { head });
        const what = `${taken.entries} of ${count} entries`;
        assert.deepEqual(resumed.begin(now), whole.begin(now), what);
        assert.deepEqual(resumed.stepsFrom(taken.steps), whole.stepsFrom(taken.steps), what);
        assert.deepEqual(resumed.entriesAfter(taken.steps), whole.entriesAfter(taken.steps), what);
        assert.deepEqual(stepped(resumed, [], now), stepped(whole, [], now), what);
        assert.deepEqual(resumed.head, whole.head, what);
        assert.equal(resumed.journalBytes, whole.journalBytes, what);
        resumed.recallSteps(entries);
        assert.deepEqual(resumed.stepsFrom(0), whole.stepsFrom(0), what);
        const next = [{ type: 'respond', value: '2' }, sleep(10), { type: 'join', call: 11, job: 'taken' }] as const;
        assert.deepEqual(stepped(resumed, next, now), stepped(whole, next, now), what);
      }
    }
  });

  it('is of another attempt: the run fails as with a journal of that one', () => {
    const [head] = told().heads;
    assert.ok(head);
    const core = newCore([], { head: { ...head, started: { ...head.started, job: 'j2' } } });
    const finish = core.begin(t0).at(-1);
    assert.ok(finish?.type === 'finish' && finish.outcome.type === 'failed');
    assert.equal(finish.outcome.error.code, 'JOURNAL_CORRUPT');
  });

  for (const leave of ['release', 'handOver'] as const)
    it(`is that of the last step when answers came after it, of which the next holder tells the guest (${leave})`, () => {
      const core = newCore();
      const entries = [...appended(core.begin(t0))];
      // A release is asked for during the step, whose guest has an answer to an earlier call waiting.
      entries.push(
        ...appended(stepped(core, [fetchOf(1), fetchOf(2)])),
        ...appended(core.answered(1, fetchedBytes(1), t0)),
      );
      core.answered(2, fetchedBytes(2), t0);
      core[leave]();
      const last = stepped(core, [sleep(3)]).at(-1);
      assert.ok(last?.type === 'finish' && last.outcome.type === 'released');
      entries.push(...last.entries);
      const { head } = core;
      assert.deepEqual([head?.entries, head?.steps, entries.length], [4, 2, 5]);
      const resumed = newCore(entries.slice(4), { head });
      const whole = newCore(entries);
      assert.deepEqual(resumed.begin(t0), whole.begin(t0));
      assert.deepEqual(resumed.stepsFrom(2), whole.stepsFrom(2));
      assert.deepEqual(stepped(resumed, [sleep(4)]), stepped(whole, [sleep(4)]));
      assert.deepEqual(resumed.head, whole.head);
    });

  it('is not there while the guest is in a step, or has ended', () => {
    const core = newCore();
    core.begin(t0);
    assert.equal(entriesBehind(core), undefined);
    stepped(core, [sleep(1)]);
    assert.equal(entriesBehind(core), 2);
    core.answered(1, { type: 'slept' }, t0);
    assert.equal(entriesBehind(core), undefined);
    stepped(core, [complete]);
    assert.equal(entriesBehind(core), undefined);
  });

  it('has no bytes when they would be too many, and none can be read from other bytes', () => {
    const [head] = told().heads;
    assert.ok(head);
    const bytes = encodeHead(head);
    assert.ok(bytes);
    const input = 'x'.repeat(limits.snapshotHeadBytesMax);
    assert.equal(encodeHead({ ...head, started: { ...head.started, input } }), undefined);
    assert.equal(decodeHead(new Uint8Array()), undefined);
    assert.equal(decodeHead(bytes.subarray(0, -1)), undefined);
    assert.equal(decodeHead(encodeHead({ ...head, steps: -1 }) ?? bytes), undefined);
  });
});

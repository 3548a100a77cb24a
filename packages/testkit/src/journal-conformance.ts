/** What every journal must do, whatever keeps it: run it from a test file of the package that has the implementation. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JournalSink } from '@mvm-ci/engine';
import { StaleLeaseError, type FinishOutcome, type JournalEntry } from '@mvm-ci/protocol';

/** One attempt under a new holder. */
export interface ConformanceHold {
  readonly sink: JournalSink;
  /** What was durable when the hold began. */
  readonly entries: readonly JournalEntry[];
}

/** A place that keeps journals, made afresh for each case. */
export interface JournalHarness {
  /** The next holder of an attempt; the one before it is stale from now on (I3). */
  readonly hold: (job: string, attempt: number) => Promise<ConformanceHold>;
  /** How the last hold of an attempt ended, if it did. */
  readonly outcome?: (job: string, attempt: number) => Promise<FinishOutcome | undefined>;
  readonly stop: () => Promise<void>;
}

const started: JournalEntry = {
  kind: 'started',
  at: 1_760_000_000_000,
  job: 'j1',
  attempt: 1,
  module: 'ab'.repeat(32),
  runtime: 'quickjs-ng/0.32.0',
  workflow: 'main',
  input: '{"ä":"✓"}',
  seed: new Uint8Array(32).fill(7),
};
const intents: JournalEntry = {
  kind: 'intents',
  intents: [
    {
      type: 'fetch',
      call: 1,
      method: 'POST',
      url: 'http://site/',
      headers: [['a', 'b']],
      body: new Uint8Array([0, 1, 255]),
      redirect: 'manual',
      timeoutMs: 5,
      idempotent: null,
      key: 'k',
    },
    { type: 'sleep', call: 2, ms: 0.5 },
    { type: 'abandon', call: 2 },
    { type: 'log', level: 'warn', text: 'ünïcode' },
    { type: 'progress', percent: 12.5, text: '' },
    { type: 'complete', result: 'null' },
    { type: 'fail', code: 'WORKFLOW_FAILED', name: 'E', message: 'm', stack: 's' },
  ],
};
const answered = (call: number, body: Uint8Array = new Uint8Array([1, 2])): JournalEntry => ({
  kind: 'answered',
  at: 1_760_000_000_001,
  call,
  answer: {
    type: 'fetched',
    response: { status: 200, statusText: 'OK', url: 'http://site/', redirected: false, headers: [['x', 'y']], body },
  },
});
const endings: readonly JournalEntry[] = [
  { kind: 'answered', at: 1_760_000_000_002, call: 2, answer: { type: 'slept' } },
  {
    kind: 'answered',
    at: 1_760_000_000_003,
    call: 3,
    answer: { type: 'error', code: 'CONNECTION_LOST', message: 'm' },
  },
  { kind: 'completed', at: 1_760_000_000_004, result: '{"a":1}' },
  { kind: 'failed', at: 1_760_000_000_005, code: 'WORKFLOW_FAILED', message: 'm' },
];

/** Byte strings compare by content: a store may hand out a Buffer or a view. */
const plain = (entries: readonly JournalEntry[]): unknown =>
  JSON.parse(JSON.stringify(entries, (_key, value: unknown) => (value instanceof Uint8Array ? value.toHex() : value)));

const same = (received: readonly JournalEntry[], expected: readonly JournalEntry[]): void =>
  assert.deepEqual(plain(received), plain(expected));

/** Calls of one sink that were made without waiting. */
const settleOrder = async (calls: readonly Promise<unknown>[]): Promise<readonly number[]> => {
  const order: number[] = [];
  const note = async (call: Promise<unknown>, index: number): Promise<void> => {
    await call;
    order.push(index);
  };
  await Promise.all(calls.map(note));
  return order;
};

type Case = (harness: JournalHarness) => Promise<void>;

const keeping: Readonly<Record<string, Case>> = {
  'gives a fresh attempt no entries': async ({ hold }) => {
    same((await hold('j1', 1)).entries, []);
  },
  'gives the next holder every kind of entry as it was appended': async ({ hold }) => {
    const entries = [started, intents, answered(1), ...endings];
    const { sink } = await hold('j1', 1);
    await sink.append(entries);
    same((await hold('j1', 1)).entries, entries);
  },
  'keeps the order of appends that nobody waited for, and settles them in that order': async ({ hold }) => {
    const { sink } = await hold('j1', 1);
    const entries = [started, ...Array.from({ length: 50 }, (_, index) => answered(index + 1))];
    const order = await settleOrder(entries.map((entry) => sink.append([entry])));
    assert.deepEqual(order, [...entries.keys()]);
    same((await hold('j1', 1)).entries, entries);
  },
  'goes on where the last holder stopped': async ({ hold }) => {
    const first = await hold('j1', 1);
    await first.sink.append([started]);
    const second = await hold('j1', 1);
    await second.sink.append([intents]);
    same((await hold('j1', 1)).entries, [started, intents]);
  },
  'keeps the attempts of one job apart': async ({ hold }) => {
    const [first, second] = [await hold('j1', 1), await hold('j1', 2)];
    await Promise.all([first.sink.append([started]), second.sink.append([{ ...started, attempt: 2 }])]);
    same((await hold('j1', 2)).entries, [{ ...started, attempt: 2 }]);
    same((await hold('j1', 1)).entries, [started]);
  },
  'takes an append with nothing in it': async ({ hold }) => {
    const { sink } = await hold('j1', 1);
    await sink.append([]);
    await sink.append([started], { progress: { percent: 10, text: 'begun' } });
    same((await hold('j1', 1)).entries, [started]);
  },
  'takes an answer of 8 MiB': async ({ hold }) => {
    const large = answered(1, new Uint8Array(8 * 1_048_576).fill(0xa5));
    const { sink } = await hold('j1', 1);
    await sink.append([started, large]);
    same((await hold('j1', 1)).entries, [started, large]);
  },
};

const ending: Readonly<Record<string, Case>> = {
  'finishes with the last entries, behind all appends that nobody waited for': async ({ hold, outcome }) => {
    const { sink } = await hold('j1', 1);
    const completed: FinishOutcome = { type: 'completed', result: '1' };
    const last: JournalEntry = { kind: 'completed', at: started.at, result: '1' };
    await Promise.all([sink.append([started]), sink.append([intents]), sink.finish([last], completed)]);
    assert.deepEqual((await outcome?.('j1', 1)) ?? completed, completed);
    same((await hold('j1', 1)).entries, [started, intents, last]);
  },
  'finishes without entries': async ({ hold }) => {
    const { sink } = await hold('j1', 1);
    await sink.finish([], { type: 'released' });
    same((await hold('j1', 1)).entries, []);
  },
  'refuses an append of an older holder and keeps nothing of it': async ({ hold }) => {
    const older = await hold('j1', 1);
    const newer = await hold('j1', 1);
    await assert.rejects(older.sink.append([started]), StaleLeaseError);
    await newer.sink.append([started]);
    same((await hold('j1', 1)).entries, [started]);
  },
  'refuses a finish of an older holder and keeps nothing of it': async ({ hold }) => {
    const older = await hold('j1', 1);
    const newer = await hold('j1', 1);
    await assert.rejects(older.sink.finish([started], { type: 'completed', result: '1' }), StaleLeaseError);
    await newer.sink.append([started, intents]);
    same((await hold('j1', 1)).entries, [started, intents]);
  },
};

/**
 * Declares the cases that hold for every journal, under `name`.
 *
 * @example
 * describeJournal('a journal in memory', () => memoryHarness());
 */
export const describeJournal = (name: string, open: () => Promise<JournalHarness> | JournalHarness): void => {
  describe(name, () => {
    for (const [title, run] of Object.entries({ ...keeping, ...ending }))
      it(title, async () => {
        const harness = await open();
        try {
          await run(harness);
        } finally {
          await harness.stop();
        }
      });
  });
};

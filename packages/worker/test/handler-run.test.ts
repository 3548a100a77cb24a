import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { finishOutcomeSchema, limits, type FinishOutcome, type JournalEntry } from '@mvm-ci/protocol';
import type { Handler } from '../src/handlers/handler.ts';
import { HandlerRun } from '../src/handlers/handler-run.ts';
import { RetryAfterError } from '../src/index.ts';
import { FakeClock } from './fixtures/fake-clock.ts';

interface Told {
  readonly outcome: FinishOutcome;
  readonly entries: readonly JournalEntry[];
}

/** Runs a handler once. @returns what the control plane is told, which it takes */
const runOf = async (handler: Handler): Promise<Told> => {
  const told: Told[] = [];
  const entries: JournalEntry[] = [];
  const sink = {
    append: (added: readonly JournalEntry[]) => {
      entries.push(...added);
      return Promise.resolve({ refused: [] });
    },
    finish: (_entries: readonly JournalEntry[], outcome: FinishOutcome) => {
      told.push({ outcome, entries });
      return Promise.resolve();
    },
  };
  const never = (): never => assert.fail('not for handlers');
  const run = new HandlerRun({
    task: { job: 'j1', name: 'h', attempt: 1, input: 'null', handler },
    ports: {
      openJournal: () => Promise.resolve({ count: 0, entries: [], parts: [], inbox: [], sink }),
      mayStartEffect: never,
      inbox: never,
      leaseLeftMs: never,
    },
    clock: Object.assign(new FakeClock(), { wallMs: () => 1_800_000_000_000 }),
    turns: { enter: () => true, leave: () => undefined },
  });
  await run.ended;
  const [only] = told;
  assert.ok(only);
  finishOutcomeSchema.parse(only.outcome);
  return only;
};

const thrown = async (error: unknown): Promise<FinishOutcome> =>
  (
    await runOf(() => {
      throw error;
    })
  ).outcome;

describe('a handler', () => {
  it('may ask to be tried again after any time: one that is no number leaves it to the backoff', async () => {
    for (const [ms, expected] of [
      [1.4, 1],
      [-1, 0],
      [Infinity, limits.durationMsMax],
      [Number.NaN, undefined],
    ] as const) {
      const outcome = await thrown(new RetryAfterError(ms));
      assert.equal(outcome.type === 'failed' && outcome.retryAfterMs, expected);
    }
  });

  it('may throw what has no text', async () => {
    const outcome = await thrown(Object.create(null));
    assert.equal(outcome.type, 'failed');
  });

  it('may sleep for a part of a millisecond more, and for ever', async () => {
    for (const ms of [60_000.5, 1e18, Infinity]) {
      const { outcome } = await runOf((_job, ctx) => ctx.sleep('s', ms));
      assert.equal(outcome.type, 'suspended');
    }
  });

  it('may say that 0 of 0 is done', async () => {
    const { entries } = await runOf((_job, ctx) => ctx.progress(0 / 0));
    assert.deepEqual(entries, [{ kind: 'intents', intents: [{ type: 'progress', percent: 0, text: '' }] }]);
  });

  it('may log what is no text, and keeps a journal that can be read', async () => {
    const logged: unknown[] = [5, { a: 1 }, undefined, new TypeError('x')];
    const { entries } = await runOf((_job, ctx) => {
      for (const one of logged) Reflect.apply(ctx.log.info, undefined, [one]);
    });
    const texts = ['5', '{"a":1}', 'null', 'TypeError: x'];
    const intents = texts.map((text) => [{ type: 'log', level: 'info', text }]);
    assert.deepEqual(
      entries,
      intents.map((intent) => ({ kind: 'intents', intents: intent })),
    );
  });

  it('is refused a run whose name is no text', async () => {
    // oxlint-disable-next-line typescript/unbound-method -- the methods of a context come bound
    const { outcome, entries } = await runOf((_job, { run }) => Reflect.apply(run, undefined, [5, () => 1]));
    assert.equal(outcome.type, 'failed');
    assert.deepEqual(entries, []);
  });
});

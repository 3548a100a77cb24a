/**
 * What every engine host must do, wherever its engine is: run it from a test file of the package that has the host. A real
 * engine runs real WebAssembly behind it, and effects arrive at a real server.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MemoryJournal, openEngine, systemClock, systemRandom } from '@mvm-ci/engine';
import { encodeModule, mvmError, type JournalEntry, type ModuleFile } from '@mvm-ci/protocol';
import { coreEffect, measuring, sleeping, threeEffects } from './guest-modules.ts';
import type { HeldAttempt } from './held-attempt.ts';
import { Bench, completed, runsMax, turns, type Case, type ConformanceRun, type OpenHarness } from './host-bench.ts';
import { inside } from './inside-cases.ts';
import type { MessageCutter } from './message-cutter.ts';

/** What is the same in every run of one workflow: no times, no seeds. */
const shapeOf = (entries: readonly JournalEntry[]): unknown =>
  entries.map((entry) => {
    if (entry.kind === 'intents') return entry;
    const { at: _, ...rest } = entry;
    if (rest.kind === 'started') return { ...rest, seed: '' };
    if (rest.kind !== 'answered' || rest.answer.type !== 'fetched') return rest;
    const { status, url, body } = rest.answer.response;
    return { kind: rest.kind, call: rest.call, status, url, body: body.toHex() };
  });

/** The journal of the same attempt in an engine that nothing disturbs. */
const undisturbed = async ({ claimed }: HeldAttempt, file: ModuleFile): Promise<unknown> => {
  const bytes = encodeModule(file);
  await using engine = await openEngine({
    modules: () => Promise.resolve(bytes),
    clock: systemClock,
    random: systemRandom,
    threads: 1,
  });
  const journal = new MemoryJournal();
  const ports = { sink: journal.hold(), mayStartEffect: () => true };
  await engine.run({ ...claimed, journal: [] }, ports).ended;
  return shapeOf(journal.entries);
};

const done = completed('[200,200,200]');

const answeredCalls = (attempt: HeldAttempt): readonly string[] =>
  attempt.entries.flatMap((entry) => (entry.kind === 'answered' ? [`${attempt.claimed.job}:1:${entry.call}`] : []));

const running: Readonly<Record<string, Case>> = {
  'runs a script to its result, with the journal of an undisturbed run': async (open) => {
    await using bench = await Bench.open(open);
    const attempt = bench.attempt('a', threeEffects());
    assert.deepEqual(await bench.run(attempt).ended, done);
    assert.deepEqual(attempt.outcome, { type: 'completed', result: '[200,200,200]' });
    assert.deepEqual([...bench.receiver.arrivals('a').values()], [1, 1, 1]);
    assert.deepEqual(shapeOf(attempt.entries), await undisturbed(attempt, threeEffects()));
  },
  'runs a core module': async (open) => {
    await using bench = await Bench.open(open);
    const attempt = bench.attempt('a', coreEffect(bench.receiver.url));
    assert.deepEqual(await bench.run(attempt).ended, completed('"core"'));
  },
  'goes on from every place in a journal': async (open) => {
    await using bench = await Bench.open(open);
    const first = bench.attempt('a', threeEffects());
    await bench.run(first).ended;
    for (let count = 1; count < first.entries.length; count += 1) {
      bench.receiver.keys.length = 0;
      const stored = first.entries.slice(0, count);
      const attempt = bench.attempt('a', threeEffects(), { stored });
      const before = answeredCalls(attempt);
      assert.deepEqual(await bench.run(attempt).ended, done, `from ${count} entries`);
      assert.deepEqual(
        before.filter((key) => bench.receiver.keys.includes(key)),
        [],
        `from ${count} entries`,
      );
    }
  },
  'runs many jobs of one module at once': async (open) => {
    await using bench = await Bench.open(open);
    const attempts = Array.from({ length: runsMax }, (_, index) => bench.attempt(`j${index}`, threeEffects()));
    const ends = await Promise.all(attempts.map((attempt) => bench.run(attempt).ended));
    assert.deepEqual(
      ends,
      attempts.map(() => done),
    );
  },
  'fails a job whose module is not to be had': async (open) => {
    await using bench = await Bench.open(open);
    const attempt = bench.attempt('a', threeEffects());
    const claimed = { ...attempt.claimed, module: 'ab'.repeat(32) };
    await bench.harness.host.run(claimed, attempt).ended;
    assert.equal(attempt.outcome?.type === 'failed' && attempt.outcome.error.code, 'MODULE_NOT_FOUND');
  },
  'takes an input and answers of megabytes, and journals that hold them': async (open) => {
    await using bench = await Bench.open(open);
    const text = 'ä'.repeat(500_000);
    assert.deepEqual(await bench.run(bench.attempt('a', measuring, { input: { text } })).ended, completed('500000'));
    bench.receiver.answerBytes = 4_000_000;
    const large = bench.attempt('b', threeEffects());
    assert.deepEqual(await bench.run(large).ended, done);
    const stored = large.entries.slice(0, -2);
    assert.deepEqual(await bench.run(bench.attempt('b', threeEffects(), { stored })).ended, done);
  },
};

const committing: Readonly<Record<string, Case>> = {
  'starts no effect before its intent is durable (I4)': async (open) => {
    await using bench = await Bench.open(open);
    const attempt = bench.attempt('a', threeEffects());
    attempt.holdAcks();
    const run = bench.run(attempt);
    await attempt.until(() => attempt.pending.some(({ kind }) => kind === 'intents'));
    await turns();
    assert.deepEqual(bench.receiver.keys, []);
    attempt.releaseAcks();
    assert.deepEqual(await run.ended, done);
  },
  'starts no effect while the deadline of the lease has passed, and goes on when it is renewed': async (open) => {
    await using bench = await Bench.open(open);
    const attempt = bench.attempt('a', threeEffects());
    attempt.passDeadline();
    const run = bench.run(attempt);
    await attempt.until(() => attempt.entries.some(({ kind }) => kind === 'intents'));
    await turns();
    assert.deepEqual(bench.receiver.keys, []);
    attempt.renewLease();
    assert.deepEqual(await run.ended, done);
  },
  'drops the run when the lease is lost before an effect': async (open) => {
    await using bench = await Bench.open(open);
    const attempt = bench.attempt('a', threeEffects());
    attempt.passDeadline();
    const run = bench.run(attempt);
    await attempt.until(() => attempt.entries.some(({ kind }) => kind === 'intents'));
    attempt.loseLease();
    assert.deepEqual(await run.ended, { type: 'dropped' });
    assert.deepEqual(bench.receiver.keys, []);
  },
  'drops the run when the store says that the lease is over': async (open) => {
    await using bench = await Bench.open(open);
    const attempt = bench.attempt('a', threeEffects());
    attempt.refuse(mvmError('STALE_LEASE', 'another holder has it'));
    assert.deepEqual(await bench.run(attempt).ended, { type: 'dropped' });
    assert.deepEqual([bench.receiver.keys, attempt.entries], [[], []]);
  },
};

/** Moments in a run, and how to get there. */
const moments: Readonly<Record<string, (bench: Bench, attempt: HeldAttempt) => Promise<void>>> = {
  'at once': () => Promise.resolve(),
  'before its first entries are durable': (_, attempt) => attempt.until(() => attempt.pending.length > 0),
  'while an effect is in flight': async (bench, attempt) => {
    attempt.releaseAcks();
    await bench.receiver.received('a', 1);
  },
  'while it sleeps': async (bench, attempt) => {
    attempt.releaseAcks();
    bench.receiver.release();
    await attempt.until(() => attempt.entries.length > 1);
  },
};

const stopping: Readonly<Record<string, Case>> = Object.fromEntries(
  Object.entries(moments).flatMap(([moment, reach]): [string, Case][] => {
    const begin = async (open: OpenHarness): Promise<{ bench: Bench; attempt: HeldAttempt; run: ConformanceRun }> => {
      const bench = await Bench.open(open);
      const attempt = bench.attempt('a', moment === 'while it sleeps' ? sleeping : threeEffects());
      attempt.holdAcks();
      bench.receiver.isHolding = true;
      const run = bench.run(attempt);
      await reach(bench, attempt);
      return { bench, attempt, run };
    };
    const endsAs =
      (type: 'cancelled' | 'released'): Case =>
      async (open) => {
        const { bench, attempt, run } = await begin(open);
        await using _ = bench;
        if (type === 'cancelled') run.cancel('enough');
        else run.release();
        attempt.releaseAcks();
        assert.deepEqual(await run.ended, { type: 'finished', outcome: { type } });
        assert.deepEqual(attempt.outcome, { type });
      };
    return [
      [`cancels ${moment}`, endsAs('cancelled')],
      [`gives the job back ${moment}`, endsAs('released')],
      [
        `drops ${moment}, and says nothing more`,
        async (open) => {
          const { bench, attempt, run } = await begin(open);
          await using _ = bench;
          run.drop();
          attempt.releaseAcks();
          assert.deepEqual(await run.ended, { type: 'dropped' });
          const stored = attempt.entries.length;
          bench.receiver.release();
          await turns();
          assert.deepEqual([attempt.outcome, attempt.entries.length], [undefined, stored]);
        },
      ],
    ];
  }),
);

const losing: Readonly<Record<string, Case>> = {
  'loses nothing when the link breaks before or after any message': async (open) => {
    await using bench = await Bench.open(open);
    const { cutter } = bench.harness;
    if (!cutter) return;
    const expected = await undisturbed(bench.attempt('x', threeEffects()), threeEffects());
    cutter.arm({ message: Number.POSITIVE_INFINITY, when: 'before' });
    assert.deepEqual(await bench.runToEnd(bench.attempt('a', threeEffects('cold'))), done);
    const messages = cutter.messages;
    assert.ok(messages >= 3, `${messages} messages`);
    for (let message = 1; message <= messages; message += 1)
      for (const when of ['before', 'after'] as const) {
        // A module of its own, so that it is asked for.
        await disturbed(bench, { cutter, message, when, expected });
      }
  },
  'goes on with another engine when the one that ran the job is lost': async (open) => {
    await using bench = await Bench.open(open);
    const { loseEngine } = bench.harness;
    if (!loseEngine) return;
    const attempt = bench.attempt('a', threeEffects());
    bench.receiver.isHolding = true;
    const ended = bench.runToEnd(attempt);
    await bench.receiver.received('a', 1);
    await loseEngine();
    bench.receiver.release();
    assert.deepEqual(await ended, done);
    assert.deepEqual([...bench.receiver.arrivals('a').values()], [2, 1, 1]);
  },
  'waits for appends that were under way when the link was lost': async (open) => {
    await using bench = await Bench.open(open);
    const { loseEngine } = bench.harness;
    if (!loseEngine) return;
    const attempt = bench.attempt('a', threeEffects());
    attempt.holdAcks();
    const first = bench.run(attempt);
    await attempt.until(() => attempt.pending.length > 0);
    const lost = loseEngine();
    const end = await first.ended;
    assert.equal(end.type, 'interrupted');
    attempt.releaseAcks();
    await Promise.all([attempt.settled(), lost]);
    assert.deepEqual(await bench.runToEnd(attempt), done);
    assert.deepEqual([...bench.receiver.arrivals('a').values()], [1, 1, 1]);
  },
  'refuses a run for which it has no place, and takes it later': async (open) => {
    await using bench = await Bench.open(open, 1);
    const { host, cutter } = bench.harness;
    // A host without a link has as many places as its holder.
    if (!cutter) return;
    bench.receiver.isHolding = true;
    const first = bench.run(bench.attempt('a', threeEffects()));
    await bench.receiver.received('a', 1);
    const second = bench.attempt('b', threeEffects());
    const refused = await bench.run(second).ended;
    assert.equal(refused.type === 'interrupted' && refused.error.code, 'ENGINE_BUSY');
    assert.equal(host.obstacle?.code, 'ENGINE_BUSY');
    bench.receiver.release();
    assert.deepEqual(await first.ended, done);
    assert.deepEqual(await bench.runToEnd(second), done);
  },
};

interface Disturbance {
  readonly cutter: MessageCutter;
  readonly message: number;
  readonly when: 'before' | 'after';
  /** The journal's shape. */
  readonly expected: unknown;
}

const disturbed = async (bench: Bench, { cutter, message, when, expected }: Disturbance): Promise<void> => {
  const where = `${when} message ${message}`;
  bench.receiver.keys.length = 0;
  const attempt = bench.attempt('x', threeEffects(where));
  let [answered, arrived]: [readonly string[], ReadonlyMap<string, number>] = [[], new Map()];
  cutter.arm({ message, when });
  const end = await bench.runToEnd(attempt, () => {
    [answered, arrived] = [answeredCalls(attempt), bench.receiver.arrivals('x')];
  });
  cutter.disarm();
  assert.deepEqual(end, done, where);
  assert.deepEqual(withoutModule(shapeOf(attempt.entries)), withoutModule(expected), where);
  const arrivals = bench.receiver.arrivals('x');
  assert.deepEqual([...arrivals.keys()], ['x:1:1', 'x:1:2', 'x:1:3'], where);
  const again = [...arrivals.values()].reduce((sum, count) => sum + count - 1, 0);
  assert.ok(again <= 1, `${where}: ${again} effects were sent again, one was in flight`);
  for (const key of answered) assert.equal(arrivals.get(key), arrived.get(key), `${where}: ${key} was answered`);
};

const withoutModule = (shape: unknown): unknown => {
  const text = JSON.stringify(shape);
  const parsed: unknown = JSON.parse(
    text.replace(/"module":"[0-9a-f]+"/, '"module":""').replaceAll(/127\.0\.0\.1:\d+/g, ''),
  );
  return parsed;
};

/**
 * Declares the cases that hold for every engine host, under `name`.
 *
 * @example
 * describeEngineHost('an embedded engine', openEmbedded);
 */
export const describeEngineHost = (name: string, open: OpenHarness): void => {
  describe(name, () => {
    for (const [title, run] of Object.entries({ ...running, ...committing, ...stopping, ...losing, ...inside }))
      it(title, () => run(open));
  });
};

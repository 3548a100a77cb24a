import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock, Intent } from '@mvm-ci/protocol';
import type { StepOutcome } from '../../src/guest/guest.ts';
import { MemoryJournal } from '../../src/index.ts';
import { engineLimits } from '../../src/limits.ts';
import { silentLogger } from '../../src/logger.ts';
import type { LoadedModule } from '../../src/module/loaded-module.ts';
import { RunShell } from '../../src/run/run-shell.ts';

/** A clock that stands still until the test moves it. */
class HandClock implements Clock {
  nowMs = 1_760_000_000_000;
  readonly #timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();

  get delays(): readonly number[] {
    return [...this.#timers].map(({ dueMs }) => dueMs - this.nowMs);
  }

  wallMs(): number {
    return this.nowMs;
  }

  monotonicMs(): number {
    return this.nowMs;
  }

  after(delayMs: number, callback: () => void): { cancel(): void } {
    const timer = { dueMs: this.nowMs + Math.min(delayMs, 2 ** 31 - 1), callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  /** Moves to the next timer and fires it; with `wallMs`, the wall clock shows that then. */
  fire(wallMs?: number): void {
    const [timer] = this.#timers;
    assert.ok(timer);
    this.#timers.delete(timer);
    this.nowMs = wallMs ?? timer.dueMs;
    timer.callback();
  }
}

const module: LoadedModule = {
  id: 1,
  code: { kind: 'javascript', script: '' },
  runtime: 'r',
  workflows: ['main'],
  size: 0,
  mapStack: (stack) => stack,
};

interface Scene {
  readonly clock: HandClock;
  readonly journal: MemoryJournal;
  readonly shell: RunShell;
  /** Kinds of the entries of each append, and of the finish. */
  readonly batches: readonly (readonly string[])[];
}

/** A run whose guest asks for `steps[n]` in step n. */
const begin = (...steps: readonly Intent[][]): Scene => {
  const clock = new HandClock();
  const journal = new MemoryJournal();
  const sink = journal.hold();
  const batches: (readonly string[])[] = [];
  let taken = 0;
  const guest = {
    step: (): Promise<StepOutcome> => {
      const intents = steps[taken++];
      return intents ? Promise.resolve({ type: 'stepped', intents }) : Promise.withResolvers<never>().promise;
    },
    close: (): void => undefined,
    capture: () => Promise.resolve(undefined),
    memoryHash: () => Promise.resolve(undefined),
  };
  const shell = new RunShell(
    { job: 'j', attempt: 1, module: 'm', workflow: 'main', input: '{}', journal: [] },
    {
      sink: {
        append: (entries, extras) => {
          batches.push(entries.map(({ kind }) => kind));
          return sink.append(entries, extras);
        },
        finish: (entries, outcome, extras) => {
          batches.push(entries.map(({ kind }) => kind));
          return sink.finish(entries, outcome, extras);
        },
      },
      mayStartEffect: () => true,
    },
    {
      modules: { get: () => Promise.resolve(module) },
      guests: { open: () => guest },
      performer: { fetch: () => Promise.withResolvers<never>().promise },
      clock,
      random: { bytes: (length) => new Uint8Array(length) },
      logger: silentLogger,
      suspendAfterMs: Number.POSITIVE_INFINITY,
      counts: { replays: 0, replayedEntries: 0, replaySeconds: 0 },
    },
  );
  return { clock, journal, shell, batches };
};

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const done: Intent[] = [{ type: 'complete', result: '1' }];

describe('a timer of a run', () => {
  it('runs for longer than the longest delay of the host, in pieces', async () => {
    const days60 = 60 * 86_400_000;
    const { clock, journal, shell } = begin([{ type: 'sleep', call: 1, ms: days60 }], done);
    await turns();
    const from = clock.nowMs;
    clock.fire();
    clock.fire();
    clock.fire();
    await shell.ended;
    const answered = journal.entries.find((entry) => entry.kind === 'answered');
    assert.equal(answered?.at, from + days60);
  });

  it('waits again when the wall clock was set back meanwhile', async () => {
    const { clock, journal, shell } = begin([{ type: 'sleep', call: 1, ms: 1_000 }], done);
    await turns();
    clock.fire(clock.nowMs + 400);
    await turns();
    assert.deepEqual(clock.delays, [600]);
    assert.equal(journal.entries.length, 2);
    clock.fire();
    assert.equal((await shell.ended).type, 'finished');
  });

  it('is taken down when the workflow abandons it, and when the run is dropped', async () => {
    const { clock, shell } = begin(
      [
        { type: 'sleep', call: 1, ms: 10 },
        { type: 'sleep', call: 2, ms: 20 },
        { type: 'sleep', call: 3, ms: 30 },
      ],
      [{ type: 'abandon', call: 2 }],
      [],
    );
    await turns();
    assert.equal(clock.delays.length, 3);
    clock.fire();
    await turns();
    assert.equal(clock.delays.length, 1);
    shell.drop();
    assert.deepEqual(clock.delays, []);
    assert.deepEqual(await shell.ended, { type: 'dropped' });
  });
});

describe('a journal entry that nobody waits for', () => {
  it('rides along with what the guest wants next, or with the end', async () => {
    const { clock, shell, batches } = begin([{ type: 'sleep', call: 1, ms: 10 }], done);
    await turns();
    clock.fire();
    await shell.ended;
    assert.deepEqual(batches, [
      ['started', 'intents'],
      ['answered', 'intents', 'completed'],
    ]);
    assert.deepEqual(clock.delays, []);
  });

  it('leaves by itself when the guest takes long, and not at all when the run is dropped', async () => {
    const { clock, shell, batches } = begin([{ type: 'sleep', call: 1, ms: 10 }]);
    await turns();
    clock.fire();
    assert.deepEqual(clock.delays, [engineLimits.rideAlongMs]);
    clock.fire();
    assert.deepEqual(batches.at(-1), ['answered']);
    shell.drop();
    assert.deepEqual(clock.delays, []);
  });
});

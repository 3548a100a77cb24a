import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { CompactCommand } from '../../src/machine/command.ts';
import { controlLimits } from '../../src/limits.ts';
import { Compactor } from '../../src/queue/compactor.ts';
import type { Store } from '../../src/store/store.ts';
import { StillClock } from '../fixtures/still-clock.ts';

/** A store that answers what it is told to, and keeps the commands. */
const fakeStore = (answers: (number | Error)[]): { store: Store; commands: CompactCommand[] } => {
  const commands: CompactCommand[] = [];
  const apply = (command: CompactCommand): Promise<object> => {
    commands.push(command);
    const answer = answers.shift() ?? 0;
    if (answer instanceof Error) return Promise.reject(answer);
    return Promise.resolve({ type: 'compact', seen: answer, rows: 0, bytesBefore: 0, bytesAfter: 0 });
  };
  const never = (): Promise<never> => Promise.reject(new Error('not asked for'));
  return { store: { apply, read: never, close: () => Promise.resolve() } as unknown as Store, commands };
};

suite('the compactor', () => {
  test('goes on soon while there is much to do, and later when there is little or it failed', async () => {
    const clock = new StillClock();
    const { compactJobs, compactPauseMs, compactIdleMs } = controlLimits;
    const { store, commands } = fakeStore([compactJobs, 3, new Error('the disk is full'), 0]);
    const compactor = new Compactor({ store, clock, afterMs: 7 });
    const after = async (ms: number): Promise<number> => {
      clock.advance(ms);
      await turn();
      return commands.length;
    };
    assert.equal(await after(compactPauseMs), 1);
    assert.equal(commands[0]?.before, (commands[0]?.at ?? 0) - 7);
    assert.equal(await after(compactPauseMs), 2);
    assert.equal(await after(compactPauseMs), 2);
    assert.equal(await after(compactIdleMs), 3);
    assert.equal(await after(compactIdleMs), 4);
    await compactor.stop();
    assert.equal(await after(compactIdleMs), 4);
  });

  test('does nothing when it is told to wait for ever', async () => {
    const clock = new StillClock();
    const { store, commands } = fakeStore([]);
    await using stack = new AsyncDisposableStack();
    const compactor = new Compactor({ store, clock, afterMs: Number.POSITIVE_INFINITY });
    stack.defer(() => compactor.stop());
    clock.advance(1e9);
    await turn();
    assert.equal(commands.length, 0);
  });
});

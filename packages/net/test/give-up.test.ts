import assert from 'node:assert/strict';
import { test } from 'node:test';

import { MvmError } from '@mvm-ci/protocol';

import { GiveUp } from '../src/give-up.ts';
import { FakeClock } from './fixtures/fake-clock.ts';

const what = 'the thing';
const forever = async (): Promise<never> => new Promise(() => undefined);
const hasCode =
  (code: string) =>
  (thrown: unknown): boolean =>
    thrown instanceof MvmError && thrown.code === code;

test('work that ends in time is handed on, and no timer is left', async () => {
  const clock = new FakeClock();
  const giveUp = new GiveUp({ clock, deadlineMs: 10, what });
  assert.equal(await giveUp.wait(Promise.resolve(3)), 3);
  giveUp.settle();
  assert.equal(clock.pendingTimers, 0);
});

test('the deadline ends every wait, also those that begin after it', async () => {
  const clock = new FakeClock();
  const giveUp = new GiveUp({ clock, deadlineMs: 10, what });
  const waiting = assert.rejects(giveUp.wait(forever()), hasCode('DEADLINE_EXCEEDED'));
  clock.advance(10);
  await waiting;
  await assert.rejects(giveUp.wait(forever()), hasCode('DEADLINE_EXCEEDED'));
});

test('a deadline that is started anew counts from then', async () => {
  const clock = new FakeClock();
  const giveUp = new GiveUp({ clock, deadlineMs: 10, what });
  clock.advance(9);
  giveUp.restart(10);
  clock.advance(9);
  assert.equal(giveUp.error, undefined);
  giveUp.pause();
  clock.advance(1_000);
  assert.equal(giveUp.error, undefined);
});

test('the signal ends a wait with its reason as the cause', async () => {
  const caller = new AbortController();
  const giveUp = new GiveUp({ clock: new FakeClock(), deadlineMs: Infinity, signal: caller.signal, what });
  const waiting = giveUp.wait(forever());
  const reason = new Error('enough');
  caller.abort(reason);
  await assert.rejects(waiting, (thrown) => hasCode('CANCELLED')(thrown) && (thrown as Error).cause === reason);
  const late = new GiveUp({ clock: new FakeClock(), deadlineMs: 10, signal: caller.signal, what });
  await assert.rejects(late.wait(forever()), hasCode('CANCELLED'));
});

test('work that fails after it was given up disturbs nobody', async () => {
  const clock = new FakeClock();
  const giveUp = new GiveUp({ clock, deadlineMs: 10, what });
  const work = Promise.withResolvers<never>();
  const waiting = assert.rejects(giveUp.wait(work.promise), hasCode('DEADLINE_EXCEEDED'));
  clock.advance(10);
  await waiting;
  work.reject(new Error('nobody listens'));
  await clock.nextTurn();
});

import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { controlLimits } from '../../src/limits.ts';
import { ErrandBoard } from '../../src/queue/errand-board.ts';
import { systemRandom } from '../../src/system-random.ts';
import { StillClock } from '../fixtures/still-clock.ts';

const what = { job: 'a', attempt: 1, module: 'm', workflow: 'main', batches: [] };
const verdict = { compatible: true, entries: 3, steps: 1 };
const unavailable = (message: RegExp): object => ({ code: 'UNAVAILABLE', message });

const open = (): {
  board: ErrandBoard;
  clock: StillClock;
  calls: () => number;
  engineCalls: () => number;
  signal: AbortSignal;
  leave: () => void;
} => {
  const clock = new StillClock();
  let called = 0;
  let engineCalled = 0;
  const board = new ErrandBoard({
    clock,
    random: systemRandom,
    callWorker: () => void (called += 1),
    callEngine: () => void (engineCalled += 1),
  });
  const abort = new AbortController();
  const calls = (): number => called;
  const engineCalls = (): number => engineCalled;
  return { board, clock, calls, engineCalls, signal: abort.signal, leave: () => abort.abort() };
};

suite('errands', () => {
  test('whose journal comes in parts are for workers that read parts, and are known while they are taken', async () => {
    const { board, signal } = open();
    const asked = board.ask({ ...what, next: 7 }, signal);
    assert.equal(board.take(false), undefined);
    const taken = board.take();
    const id = taken?.id ?? '';
    assert.equal(board.taken(id), taken);
    board.settle(id, { verdict });
    await asked;
    assert.throws(() => board.taken(id), { code: 'INVALID_TRANSITION' });
  });

  test('are given to one worker each, the oldest first, whose verdict is the answer', async () => {
    const { board, calls, signal, clock } = open();
    const first = board.ask(what, signal);
    const second = board.ask({ ...what, job: 'b' }, signal);
    assert.equal(calls(), 2);
    const [one, two] = [board.take(), board.take()];
    assert.deepEqual([one?.job, two?.job, board.take(), board.hasOpen], ['a', 'b', undefined, false]);
    board.settle(two?.id ?? '', { verdict: { ...verdict, entries: 5 } });
    board.settle(one?.id ?? '', { verdict });
    board.settle(one?.id ?? '', { error: { code: 'INTERNAL', message: 'too late' } });
    assert.deepEqual([(await first).entries, (await second).entries], [3, 5]);
    assert.equal(clock.pending, 0);
  });

  test('are refused when no worker takes one in time, or whoever took it falls silent', async () => {
    const { board, clock, signal } = open();
    const untaken = assert.rejects(board.ask(what, signal), unavailable(/no worker with an engine is idle/));
    clock.advance(controlLimits.errandTakeMs);
    await untaken;
    const lost = assert.rejects(board.ask(what, signal), unavailable(/says nothing/));
    const errand = board.take();
    clock.advance(controlLimits.errandMs);
    await lost;
    board.settle(errand?.id ?? '', { verdict });
    assert.equal(clock.pending, 0);
  });

  test('that nobody takes are told to one worker after another: the first may be dead', async () => {
    const { board, clock, calls, signal } = open();
    const asked = board.ask(what, signal);
    clock.advance(controlLimits.errandCallMs);
    clock.advance(controlLimits.errandCallMs);
    assert.equal(calls(), 3);
    const errand = board.take();
    clock.advance(controlLimits.errandCallMs);
    assert.equal(calls(), 3);
    board.settle(errand?.id ?? '', { verdict });
    await asked;
    assert.equal(clock.pending, 0);
  });

  test('that ask a workflow are offered once more when whoever took one says nothing, and the first answer counts', async () => {
    const { board, clock, calls, engineCalls, signal } = open();
    const query = { name: 'total', args: 'null' };
    const asked = board.query({ ...what, query }, signal);
    const first = board.take();
    assert.equal(board.hasOpenQuery, false);
    clock.advance(controlLimits.queryAgainMs);
    assert.deepEqual([board.hasOpenQuery, calls(), engineCalls()], [true, 2, 2]);
    assert.equal(board.take()?.id, first?.id);
    clock.advance(controlLimits.queryAgainMs);
    assert.equal(board.hasOpenQuery, false, 'a third worker would be one too many');
    board.settle(first?.id ?? '', { answer: '7' });
    board.settle(first?.id ?? '', { answer: '8' });
    assert.equal(await asked, '7');
    assert.equal(clock.pending, 0);
  });

  test('that replay a journal are offered once more too, later, and to no engine in this process', async () => {
    const { board, clock, engineCalls, signal } = open();
    const asked = board.ask(what, signal);
    board.take();
    clock.advance(controlLimits.replayAgainMs - 1);
    assert.equal(board.hasOpen, false);
    clock.advance(1);
    assert.deepEqual([board.hasOpen, engineCalls()], [true, 0]);
    board.settle(board.take()?.id ?? '', { verdict });
    assert.deepEqual(await asked, verdict);
    assert.equal(clock.pending, 0);
  });

  test('that were offered once more are taken by nobody when the first one answers', async () => {
    const { board, clock, signal } = open();
    const asked = board.query({ ...what, query: { name: 'total', args: 'null' } }, signal);
    const first = board.take();
    clock.advance(controlLimits.queryAgainMs);
    board.settle(first?.id ?? '', { answer: '7' });
    assert.equal(await asked, '7');
    assert.equal(board.take(), undefined);
    assert.equal(clock.pending, 0);
  });

  test('that ask a workflow are told to the engine in this process when no worker has taken one for a while', async () => {
    const { board, clock, engineCalls, signal } = open();
    const replayed = board.ask(what, signal);
    const asked = board.query({ ...what, query: { name: 'total', args: 'null' } }, signal);
    clock.advance(controlLimits.queryLeftMs - 1);
    assert.equal(engineCalls(), 0);
    clock.advance(1);
    assert.equal(engineCalls(), 1);
    board.settle(board.take()?.id ?? '', { answer: '7' });
    board.settle(board.take()?.id ?? '', { verdict });
    assert.equal(await asked, '7');
    await replayed;
    assert.equal(clock.pending, 0);
  });

  test('that ask a workflow and that nobody takes say who could, and which settings make that so', async () => {
    const { board, clock, signal } = open();
    const query = { name: 'total', args: 'null' };
    const untaken = assert.rejects(
      board.query({ ...what, query }, signal),
      unavailable(/^the job was not asked: no worker .* within 3 s.*--flawless-url.*--engine on$/),
    );
    clock.advance(controlLimits.errandTakeMs);
    await untaken;
    assert.equal(clock.pending, 0);
  });

  test('that ask a workflow go before replays, and their answer is what the worker says', async () => {
    const { board, signal } = open();
    const replayed = board.ask(what, signal);
    assert.equal(board.hasOpenQuery, false);
    const asked = board.query({ ...what, job: 'b', query: { name: 'total', args: 'null' } }, signal);
    assert.equal(board.hasOpenQuery, true);
    const [one, two] = [board.take(), board.take()];
    assert.deepEqual([one?.job, one?.query?.name, two?.job, board.hasOpenQuery], ['b', 'total', 'a', false]);
    board.settle(one?.id ?? '', { answer: '7' });
    board.settle(two?.id ?? '', { verdict });
    assert.deepEqual([await asked, await replayed], ['7', verdict]);
  });

  test('that ask a workflow are refused when the worker knows no queries', async () => {
    const { board, signal } = open();
    const asked = assert.rejects(
      board.query({ ...what, query: { name: 'total', args: 'null' } }, signal),
      unavailable(/knows no queries/),
    );
    board.settle(board.take()?.id ?? '', { verdict });
    await asked;
  });

  test('fail as the worker says', async () => {
    const { board, signal } = open();
    const asked = assert.rejects(board.ask(what, signal), { code: 'JOURNAL_CORRUPT' });
    board.settle(board.take()?.id ?? '', { error: { code: 'JOURNAL_CORRUPT', message: 'damaged' } });
    await asked;
  });

  test('are gone when nobody waits for them any more, and at the end', async () => {
    const { board, signal, leave, clock } = open();
    const left = assert.rejects(board.ask(what, signal), unavailable(/nobody waits/));
    leave();
    await left;
    assert.equal(board.take(), undefined);
    const stopped = assert.rejects(board.ask(what, new AbortController().signal), unavailable(/stops/));
    board.stop();
    await stopped;
    assert.equal(clock.pending, 0);
  });
});

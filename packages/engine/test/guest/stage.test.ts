import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as macrotask } from 'node:timers/promises';
import { Stage } from '../../src/guest/stage.ts';
import { pulseWords } from '../../src/guest/thread-message.ts';

interface Played {
  readonly stage: Stage;
  /** The guest on stage, 0 for nobody. */
  readonly onStage: () => number;
}

const play = (): Played => {
  const pulse = new Int32Array(pulseWords.count);
  const stage = new Stage(pulse, (task) => void setImmediate(task));
  return { stage, onStage: () => ((pulse[pulseWords.beat] ?? 0) % 2 === 1 ? (pulse[pulseWords.guest] ?? 0) : 0) };
};

describe('the stage of a guest thread', () => {
  it('shows who is on it, and nobody else can leave it', () => {
    const { stage, onStage } = play();
    stage.enter(7);
    stage.leave(8);
    assert.equal(onStage(), 7);
    stage.enter(8);
    assert.equal(onStage(), 8);
    stage.leave(8);
    stage.leave(8);
    assert.equal(onStage(), 0);
  });

  it('is empty while a guest waits, and has it again when it goes on', async () => {
    const { stage, onStage } = play();
    const ready = Promise.withResolvers<string>();
    stage.enter(1);
    const seen = stage.wait(1, ready.promise).then((value) => [value, onStage()]);
    assert.equal(onStage(), 0);
    ready.resolve('answer');
    await Promise.resolve();
    assert.equal(onStage(), 0, 'not before its turn');
    assert.deepEqual(await seen, ['answer', 1]);
  });

  it('lets one guest come back per macrotask, in the order in which their waits ended', async () => {
    const { stage, onStage } = play();
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const turns: string[] = [];
    const comeBack = async (guest: number, ready: Promise<void>): Promise<void> => {
      await stage.wait(guest, ready);
      turns.push(`guest ${onStage()}`);
      await Promise.resolve();
      turns.push(`still ${onStage()}`);
    };
    const back = [comeBack(1, first.promise), comeBack(2, second.promise)];
    second.resolve();
    first.resolve();
    await Promise.all(back);
    assert.deepEqual(turns, ['guest 2', 'still 2', 'guest 1', 'still 1']);
  });

  it('comes back with the failure when what a guest waits for failed', async () => {
    const { stage, onStage } = play();
    const waited = stage.wait(3, Promise.reject(new Error('no'))).catch((error: unknown) => [error, onStage()]);
    assert.deepEqual(await waited, [new Error('no'), 3]);
  });

  it('is taken from a guest that came back and neither waits nor ends', async () => {
    const { stage, onStage } = play();
    await stage.wait(4, Promise.resolve());
    assert.equal(onStage(), 4);
    while (onStage() !== 0) await macrotask();
  });
});

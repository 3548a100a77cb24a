import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PacedSender } from '../../src/link/paced-sender.ts';

/** A conversation that has room for one message at a time. */
class Narrow {
  readonly sent: number[] = [];
  isEnded = false;
  #room: (() => void) | undefined;

  send([first = 0]: Uint8Array): Promise<void> {
    this.sent.push(first);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#room = resolve;
    return promise;
  }

  end(): void {
    this.isEnded = true;
  }

  async makeRoom(): Promise<void> {
    this.#room?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const message = (number: number): Uint8Array => Uint8Array.of(number);

describe('PacedSender', () => {
  it('keeps the order, and ends behind what waits', async () => {
    const narrow = new Narrow();
    const sender = new PacedSender(narrow);
    for (const number of [1, 2, 3]) sender.send(message(number));
    sender.end();
    assert.deepEqual(narrow.sent, [1]);
    await narrow.makeRoom();
    await narrow.makeRoom();
    assert.deepEqual([narrow.sent, narrow.isEnded], [[1, 2, 3], false]);
    await narrow.makeRoom();
    assert.ok(narrow.isEnded);
  });

  it('lets those who wait for room go on when nothing waits any more', async () => {
    const narrow = new Narrow();
    const sender = new PacedSender(narrow);
    await sender.room();
    let isRoomy = false;
    sender.send(message(1));
    sender.send(message(2));
    const waiting = sender.room().then(() => (isRoomy = true));
    await narrow.makeRoom();
    assert.ok(!isRoomy);
    await narrow.makeRoom();
    await waiting;
    assert.deepEqual(narrow.sent, [1, 2]);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Slots } from '../src/slots.ts';

const never = new AbortController().signal;

describe('Slots', () => {
  it('wake who waits for several places when so many are free, and not before', async () => {
    const slots = new Slots(2);
    slots.take();
    slots.take();
    const seen: number[] = [];
    const waiting = [1, 2].map(async (count) => {
      await slots.untilFree(never, count);
      seen.push(count);
    });
    slots.give();
    await waiting[0];
    assert.deepEqual(seen, [1]);
    slots.give();
    await waiting[1];
    assert.deepEqual(seen, [1, 2]);
  });

  it('wake who waits when there are more of them', async () => {
    const slots = new Slots(1);
    slots.take();
    const waiting = slots.untilFree(never);
    slots.resize(2);
    await waiting;
    assert.equal(slots.free, 1);
  });

  it('wake who waits until all are empty, or until its signal fires', async () => {
    const slots = new Slots(1);
    slots.take();
    const stop = new AbortController();
    const stopped = slots.untilEmpty(stop.signal);
    stop.abort();
    await stopped;
    const waiting = slots.untilEmpty(never);
    slots.give();
    await waiting;
    assert.equal(slots.taken, 0);
  });
});

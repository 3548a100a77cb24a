import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LateSignal } from '../src/late-signal.ts';

describe('LateSignal', () => {
  it('fires a signal that was asked for before, with the first reason', () => {
    const late = new LateSignal();
    const { signal } = late;
    late.abort('first');
    late.abort('second');
    assert.deepEqual([signal.aborted, signal.reason, late.aborted], [true, 'first', true]);
  });

  it('gives a signal that has fired to who asks afterwards', () => {
    const late = new LateSignal();
    late.abort('over');
    assert.deepEqual([late.signal.aborted, late.signal.reason], [true, 'over']);
  });

  it('tells its listener once, and none that was taken away', () => {
    const told: string[] = [];
    const [heard, unheard] = [new LateSignal(), new LateSignal()];
    for (const late of [heard, unheard]) late.listen(() => void told.push(late === heard ? 'heard' : 'unheard'));
    unheard.listen(undefined);
    for (const late of [heard, heard, unheard]) late.abort();
    assert.deepEqual(told, ['heard']);
  });
});

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { AbortController, AbortSignal, useTimer } from '../../src/prelude/abort.ts';

describe('AbortSignal', () => {
  const timers: { readonly callback: () => void; readonly ms: number }[] = [];
  useTimer((callback, ms) => void timers.push({ callback, ms }));
  afterEach(() => void timers.splice(0));

  it('tells its listeners once, with the controller’s reason', () => {
    const controller = new AbortController();
    const heard: unknown[] = [];
    controller.signal.addEventListener('abort', () => heard.push(controller.signal.reason));
    Reflect.set(controller.signal, 'onabort', () => heard.push('property'));
    controller.abort('enough');
    controller.abort('again');
    assert.deepEqual(heard, ['enough', 'property']);
    assert.throws(
      () => controller.signal.throwIfAborted(),
      (thrown) => thrown === 'enough',
    );
  });

  it('has an AbortError for a reason when none is given', () => {
    const { reason } = AbortSignal.abort();
    assert.ok(reason instanceof DOMException && reason.name === 'AbortError');
  });

  it('aborts with a TimeoutError when its time is over', () => {
    const signal = AbortSignal.timeout(250);
    assert.deepEqual([signal.aborted, timers[0]?.ms], [false, 250]);
    timers[0]?.callback();
    assert.ok(signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError');
  });

  it('follows the first of several', () => {
    const [first, second] = [new AbortController(), new AbortController()];
    const any = AbortSignal.any([first.signal, second.signal]);
    second.abort('second');
    first.abort('first');
    assert.equal(any.reason, 'second');
    assert.equal(AbortSignal.any([second.signal]).aborted, true);
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { structuredClone as clone } from '../../src/prelude/structured-clone.ts';

describe('structuredClone', () => {
  it('copies what Node copies', () => {
    const buffer = Uint8Array.of(1, 2, 3, 4).buffer;
    const value = {
      list: [1, 'a', null, undefined, 5n],
      map: new Map<unknown, unknown>([[{ k: 1 }, new Set([1, 2])]]),
      date: new Date(5),
      pattern: /a/gi,
      views: [new Uint16Array(buffer, 2, 1), new DataView(buffer, 1, 2), buffer],
      error: new RangeError('far', { cause: 'close' }),
      boxed: new Number(3),
    };
    const copy = clone(value);
    assert.deepEqual(copy, structuredClone(value));
    assert.notEqual(copy, value);
  });

  it('keeps cycles, and views of one buffer together', () => {
    const buffer = new ArrayBuffer(8);
    const value: Record<string, unknown> = { first: new Uint8Array(buffer), second: new Uint8Array(buffer, 4) };
    value['self'] = value;
    const copy = clone(value);
    assert.ok(typeof copy === 'object' && copy !== null && 'self' in copy && 'first' in copy && 'second' in copy);
    assert.equal(copy.self, copy);
    assert.ok(copy.first instanceof Uint8Array && copy.second instanceof Uint8Array);
    assert.equal(copy.first.buffer, copy.second.buffer);
    assert.notEqual(copy.first.buffer, buffer);
  });

  it('refuses functions and symbols', () => {
    for (const value of [() => 1, Symbol('s'), { deep: [() => 1] }]) {
      assert.throws(() => clone(value), { name: 'DataCloneError' });
    }
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { format, inspect } from '../../src/prelude/inspect.ts';

describe('inspect', () => {
  it('writes values in the notation of the language', () => {
    const cases: readonly (readonly [unknown, string])[] = [
      ['text', '"text"'],
      [-0, '-0'],
      [12n, '12n'],
      [undefined, 'undefined'],
      [Symbol('s'), 'Symbol(s)'],
      [[1, [2, [3, [4, [5]]]]], '[1, [2, [3, [4, [Array]]]]]'],
      [{ a: 1, 'b c': { d: null } }, '{ a: 1, "b c": { d: null } }'],
      [{}, '{}'],
      [
        new (class Point {
          readonly x = 1;
        })(),
        'Point { x: 1 }',
      ],
      [Object.create(null), '{}'],
      [/a/g, '/a/g'],
      [new Date(0), '1970-01-01T00:00:00.000Z'],
      [Uint8Array.of(1, 2), 'Uint8Array(2) [1, 2]'],
      [new URL('http://a/b?c'), 'URL { href: "http://a/b?c" }'],
      [new Headers({ A: '1' }), 'Headers { "a" => "1" }'],
      [new URLSearchParams('a=1&a=2'), 'URLSearchParams { "a" => "1", "a" => "2" }'],
      [function named() {}, '[Function: named]'],
      [Array.from({ length: 102 }, () => 0), `[${'0, '.repeat(100)}… 2 more]`],
    ];
    for (const [value, text] of cases) assert.equal(inspect(value), text);
  });

  it('survives cycles and getters that throw', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    assert.equal(inspect(cycle), '{ self: [Circular] }');
    const bad = {
      get x(): never {
        throw new Error('no');
      },
    };
    assert.equal(inspect(bad), '[object: Error: no]');
  });

  it('fills in directives, and adds what is left', () => {
    assert.equal(format(['%s is %d%% of %i', 'x', '4.5', '7.9', { more: true }]), 'x is 4.5% of 7 { more: true }');
    assert.equal(format(['%s %s', 'one']), 'one %s');
    assert.equal(format(['%j %cred', { a: ["it's"] }, 'color: red']), '{"a":["it\'s"]} red');
    assert.equal(format(['%j', 5n]), '5n');
    assert.equal(format([1, 'a', null]), '1 a null');
    assert.equal(format([]), '');
  });
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TextDecoder as GuestDecoder, TextEncoder as GuestEncoder } from '../../src/prelude/text-codec.ts';

describe('TextEncoder and TextDecoder', () => {
  it('encode any text as Node does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) =>
        assert.deepEqual(new GuestEncoder().encode(text), new TextEncoder().encode(text)),
      ),
    );
    assert.deepEqual(new GuestEncoder().encode('a\ud800b'), new TextEncoder().encode('a\ud800b'));
  });

  it('decode any bytes as Node does, also bytes that are not UTF-8', () => {
    const byte = fc.constantFrom(
      0,
      0x41,
      0x7f,
      0x80,
      0xbf,
      0xc0,
      0xc2,
      0xe0,
      0xa0,
      0xed,
      0xef,
      0xbb,
      0xf0,
      0x90,
      0xf4,
      0xf5,
      0xff,
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), fc.array(byte, { maxLength: 12 }), (random, awkward) => {
        for (const bytes of [random, Uint8Array.from(awkward)]) {
          assert.equal(new GuestDecoder().decode(bytes), new TextDecoder().decode(bytes));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('decode long texts, also where a character lies across two pieces', () => {
    for (const length of [4_093, 4_094, 4_095, 4_096, 4_097, 8_191]) {
      for (const rest of ['', '€', '😀z', `é${'a'.repeat(9_000)}😀`]) {
        const text = 'a'.repeat(length) + rest;
        assert.equal(new GuestDecoder().decode(new TextEncoder().encode(text)), text);
      }
    }
  });

  it('decode a text that comes in pieces', () => {
    const bytes = new TextEncoder().encode('\ufeffaß€😀!');
    const decoder = new GuestDecoder();
    const pieces = Array.from(bytes, (byte) => decoder.decode(Uint8Array.of(byte), { stream: true }));
    assert.equal(pieces.join('') + decoder.decode(), 'aß€😀!');
  });

  it('throw for what is not UTF-8 when they are fatal, and for other encodings', () => {
    assert.throws(() => new GuestDecoder('utf-8', { fatal: true }).decode(Uint8Array.of(0xff)), TypeError);
    assert.throws(() => new GuestDecoder('utf-16'), RangeError);
  });

  it('write as many whole characters as fit', () => {
    const target = new Uint8Array(5);
    assert.deepEqual(new GuestEncoder().encodeInto('a€😀', target), { read: 2, written: 4 });
    assert.deepEqual([...target], [0x61, 0xe2, 0x82, 0xac, 0]);
  });
});

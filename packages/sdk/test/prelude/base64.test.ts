import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { atob as guestAtob, btoa as guestBtoa, fromBase64, toBase64 } from '../../src/prelude/base64.ts';

describe('base64', () => {
  it('writes and reads any bytes as Node does', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const text = Buffer.from(bytes).toString('base64');
        assert.equal(toBase64(bytes), text);
        assert.deepEqual(fromBase64(text), bytes);
      }),
    );
  });

  it('writes bytes of more than a piece, wherever the last one ends', () => {
    for (const length of [3_071, 3_072, 3_073, 3_074, 6_145]) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 7_919) & 0xff);
      assert.equal(toBase64(bytes), Buffer.from(bytes).toString('base64'));
    }
  });

  it('forgives white space and missing padding, as atob does', () => {
    for (const text of ['YQ==', 'YQ', ' Y Q = = ', 'YWI', 'YWJj\n']) assert.equal(guestAtob(text), atob(text));
  });

  it('refuses what is not base64, and characters that are no bytes', () => {
    for (const text of ['a', 'YQ=', 'Y-Q_', '===='])
      assert.throws(() => guestAtob(text), { name: 'InvalidCharacterError' });
    assert.throws(() => guestBtoa('€'), { name: 'InvalidCharacterError' });
    assert.equal(guestBtoa('ÿ'), btoa('ÿ'));
  });
});

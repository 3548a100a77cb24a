import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { Http3Error } from '../../src/http3/error.ts';
import { readVarint, readVarints, varint, varintLength, varintSize } from '../../src/http3/varint.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('the examples of RFC 9000 appendix A.1 are read and written', () => {
  assert.equal(readVarint(Buffer.from('9d7f3e7d', 'hex'), 0), 494_878_333);
  assert.equal(readVarint(Buffer.from('7bbd', 'hex'), 0), 15_293);
  assert.equal(readVarint(Buffer.from('25', 'hex'), 0), 37);
  assert.equal(readVarint(Buffer.from('4025', 'hex'), 0), 37, 'a longer form of the same number');
  assert.equal(hex(varint(494_878_333)), '9d7f3e7d');
  assert.equal(hex(varint(15_293)), '7bbd');
  assert.equal(hex(varint(37)), '25');
});

test('the largest integer of all is read, rounded', () => {
  assert.equal(readVarint(Buffer.from('ffffffffffffffff', 'hex'), 0), 2 ** 62);
});

test('what is written is read back, in the announced length', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const bytes = varint(value);
      assert.equal(readVarint(bytes, 0), value);
      assert.equal(bytes.length, varintSize(value));
      assert.equal(varintLength(bytes[0] ?? 0), bytes.length);
    }),
  );
});

test('an integer that is cut off is not read', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const bytes = varint(value);
      for (let end = 0; end < bytes.length; end += 1) assert.equal(readVarint(bytes.subarray(0, end), 0), undefined);
    }),
  );
});

test('a list of integers is read whole or refused', () => {
  fc.assert(
    fc.property(fc.array(fc.maxSafeNat()), (values) => {
      assert.deepEqual(readVarints(Buffer.concat(values.map(varint))), values);
    }),
  );
  assert.throws(() => readVarints(Uint8Array.of(0x40)), Http3Error);
});

test('what is no integer of this form is refused', () => {
  for (const value of [-1, 1.5, 2 ** 53, Number.NaN]) assert.throws(() => varint(value), RangeError);
});

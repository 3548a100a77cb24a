import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { Http3Error } from '../../../src/http3/error.ts';
import { decodeFieldSection } from '../../../src/http3/qpack/decoder.ts';
import { encodeFieldSection } from '../../../src/http3/qpack/encoder.ts';
import type { FieldLine } from '../../../src/http3/qpack/field-line.ts';
import { staticTable } from '../../../src/http3/qpack/static-table.ts';

const limit = 65_536;
const bytesOf = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const decodeHex = (hex: string): FieldLine[] => decodeFieldSection(bytesOf(hex), limit);
const failsWith = (code: string, hex: string): void => {
  assert.throws(
    () => decodeHex(hex),
    (thrown) => thrown instanceof Http3Error && thrown.h3 === code,
    hex,
  );
};

const text = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const anyLine: fc.Arbitrary<FieldLine> = fc.oneof(fc.tuple(text, text), fc.constantFrom(...staticTable));

test('what is encoded is decoded again, line for line', () => {
  fc.assert(
    fc.property(fc.array(anyLine, { maxLength: 30 }), (lines) => {
      assert.deepEqual(decodeFieldSection(encodeFieldSection(lines), limit), lines);
    }),
  );
});

test('the example of RFC 9204 appendix B.1 is read', () => {
  assert.deepEqual(decodeHex('0000 510b 2f69 6e64 6578 2e68 746d 6c'), [[':path', '/index.html']]);
});

test('every entry of the static table has its index', () => {
  assert.equal(staticTable.length, 99);
  for (const [index, line] of staticTable.entries()) {
    const first = index < 63 ? [0xc0 | index] : [0xff, index - 63];
    assert.deepEqual(decodeFieldSection(Uint8Array.from([0, 0, ...first]), limit), [line]);
  }
});

test('random bytes give lines or an error of HTTP/3, and never more than the limit', () => {
  const prefixed = fc.uint8Array({ maxLength: 200 }).map((bytes) => Uint8Array.from([0, 0, ...bytes]));
  fc.assert(
    fc.property(fc.oneof(prefixed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      try {
        const lines = decodeFieldSection(bytes, 500);
        assert.ok(lines.reduce((size, [name, value]) => size + name.length + value.length + 32, 0) <= 500);
      } catch (thrown) {
        assert.ok(thrown instanceof Http3Error, String(thrown));
      }
    }),
    { numRuns: 3_000 },
  );
});

test('a section that is cut anywhere inside a line is refused', () => {
  const bytes = encodeFieldSection([['x-some-header', 'some value that is long enough']]);
  for (let end = 0; end < bytes.length; end += 1) {
    if (end === 2) continue; // A section of no lines is whole.
    assert.throws(() => decodeFieldSection(bytes.subarray(0, end), limit), Http3Error, `${end} bytes`);
  }
});

test('a reference to the dynamic table is refused in every form', () => {
  failsWith('QPACK_DECOMPRESSION_FAILED', '0000 80'); // indexed
  failsWith('QPACK_DECOMPRESSION_FAILED', '0000 4000'); // named
  failsWith('QPACK_DECOMPRESSION_FAILED', '0000 10'); // indexed past the base
  failsWith('QPACK_DECOMPRESSION_FAILED', '0000 0000'); // named past the base
  failsWith('QPACK_DECOMPRESSION_FAILED', '0100 c0'); // a required insert
});

test('an index past the static table and integers without end are refused', () => {
  failsWith('QPACK_DECOMPRESSION_FAILED', '0000 ff24'); // index 99
  failsWith('QPACK_DECOMPRESSION_FAILED', '0000 ffffffffffffffffffffff01');
  failsWith('QPACK_DECOMPRESSION_FAILED', '0000 27ffffffffffff7f');
});

test('a small section that would unfold to a large one stops at the limit', () => {
  const bomb = Uint8Array.from([0, 0, ...Array.from({ length: 60_000 }, () => 0xff), 0]);
  const repeated = new Uint8Array(60_002).fill(0xc0 | 29, 2);
  assert.throws(
    () => decodeFieldSection(repeated, limit),
    (thrown) => thrown instanceof Http3Error && thrown.h3 === 'H3_EXCESSIVE_LOAD',
  );
  assert.throws(() => decodeFieldSection(bomb, limit), Http3Error);
});

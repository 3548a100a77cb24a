import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { Http3Error } from '../../../src/http3/error.ts';
import { huffmanDecode, huffmanEncodeInto, huffmanSize } from '../../../src/http3/qpack/huffman.ts';

const huffmanEncode = (text: string): Uint8Array => {
  const bytes = new Uint8Array(huffmanSize(text));
  huffmanEncodeInto(text, bytes, 0);
  return bytes;
};

const latin1 = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1'));

test('the examples of RFC 7541 appendix C.4 and C.6 come out bit for bit', () => {
  const examples: readonly (readonly [string, string])[] = [
    ['www.example.com', 'f1e3c2e5f23a6ba0ab90f4ff'],
    ['no-cache', 'a8eb10649cbf'],
    ['custom-key', '25a849e95ba97d7f'],
    ['custom-value', '25a849e95bb8e8b4bf'],
    ['302', '6402'],
    ['private', 'aec3771a4b'],
    ['Mon, 21 Oct 2013 20:13:21 GMT', 'd07abe941054d444a8200595040b8166e082a62d1bff'],
    ['https://www.example.com', '9d29ad171863c78f0b97c8e9ae82ae43d3'],
  ];
  for (const [text, hex] of examples) {
    assert.equal(Buffer.from(huffmanEncode(text)).toString('hex'), hex, text);
    assert.equal(huffmanDecode(Buffer.from(hex, 'hex')), text);
  }
});

test('every byte has a code, and what is encoded is decoded again', () => {
  const all = Buffer.from(Uint8Array.from({ length: 256 }, (_, index) => index)).toString('latin1');
  assert.equal(huffmanDecode(huffmanEncode(all)), all);
  fc.assert(
    fc.property(latin1, (text) => {
      const bytes = huffmanEncode(text);
      assert.equal(bytes.length, huffmanSize(text));
      assert.equal(huffmanDecode(bytes), text);
    }),
  );
});

test('random bytes decode to text or to an error of QPACK', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        assert.equal(typeof huffmanDecode(bytes), 'string');
      } catch (thrown) {
        assert.ok(thrown instanceof Http3Error && thrown.h3 === 'QPACK_DECOMPRESSION_FAILED', String(thrown));
      }
    }),
    { numRuns: 2_000 },
  );
});

test('padding that is too long or not all ones, and the end-of-string symbol, are refused', () => {
  for (const hex of ['ff', '1fff', '18', 'ffffffff', 'fffffffc']) {
    assert.throws(() => huffmanDecode(Buffer.from(hex, 'hex')), Http3Error, hex);
  }
});

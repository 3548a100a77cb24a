import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytesWithin, packPieces } from '../src/packed-pieces.ts';
import { unpack } from '../src/packer.ts';

const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, 0, -5, 1.5, 'text'),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), tie('value'), { maxKeys: 4 }),
  ),
})).value;

/** Whatever class of bytes came out, and whatever prototype. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, part: unknown) => (part instanceof Uint8Array ? `bytes ${part.toHex()}` : part)),
  );

const joined = (value: unknown, pieceBytes: number): Uint8Array =>
  new Uint8Array(Buffer.concat([...packPieces(value, pieceBytes)]));

test('the pieces of any value unpack to it once they are joined', () => {
  fc.assert(
    fc.property(anyValue, fc.integer({ min: 1, max: 200 }), (value, pieceBytes) => {
      assert.deepEqual(plain(unpack(joined(value, pieceBytes))), plain(value));
    }),
  );
});

test('a long byte string leaves in pieces of the wanted size, and is counted', () => {
  const value = { batches: [{ bytes: new Uint8Array(1_000_000), hash: new Uint8Array(32) }] };
  const pieces = [...packPieces(value, 100_000)];
  assert.ok(pieces.length >= 10);
  assert.ok(pieces.every(({ length }) => length <= 200_000));
  assert.equal(bytesWithin(value), 1_000_032);
});

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { byteMethods, bytesOfBase64, bytesOfHex } from '../../src/prelude/byte-text.ts';

const outcome = (run: () => unknown): unknown => {
  try {
    return run();
  } catch (error) {
    return error instanceof Error ? error.name : error;
  }
};

describe('base64 and hex of Uint8Array', () => {
  it('are written as Node does', () => {
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.constantFrom('base64' as const, 'base64url' as const),
        fc.boolean(),
        (bytes, alphabet, omitPadding) => {
          const options = { alphabet, omitPadding };
          assert.equal(byteMethods.toBase64.call(bytes, options), bytes.toBase64(options));
          assert.equal(byteMethods.toHex.call(bytes), bytes.toHex());
        },
      ),
    );
  });

  it('are read as Node does, whatever the text is', () => {
    const text = fc.oneof(
      fc.string({ unit: fc.constantFrom(...Array.from('AQgwBZz09+/-_= \n')), maxLength: 12 }),
      fc.uint8Array({ maxLength: 9 }).map((bytes) => bytes.toBase64()),
    );
    fc.assert(
      fc.property(
        text,
        fc.constantFrom('base64' as const, 'base64url' as const),
        fc.constantFrom('loose' as const, 'strict' as const, 'stop-before-partial' as const),
        (one, alphabet, lastChunkHandling) => {
          const options = { alphabet, lastChunkHandling };
          assert.deepEqual(
            outcome(() => bytesOfBase64(one, options)),
            outcome(() => Uint8Array.fromBase64(one, options)),
          );
        },
      ),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('09afAFg ')), maxLength: 8 }), (one) => {
        assert.deepEqual(
          outcome(() => bytesOfHex(one)),
          outcome(() => Uint8Array.fromHex(one)),
        );
      }),
    );
  });

  it('say what they were given when that is no text or no option', () => {
    const five: unknown = JSON.parse('5');
    const options: unknown = JSON.parse('{"alphabet":"x"}');
    assert.throws(() => Reflect.apply(bytesOfHex, undefined, [five]), /hex digits are given as text: received number/);
    assert.throws(
      () => Reflect.apply(bytesOfBase64, undefined, ['', options]),
      /alphabet is base64 or base64url: received x/,
    );
  });
});

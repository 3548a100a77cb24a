import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChaCha20 } from '../../src/prelude/chacha20.ts';

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const stream = (seed: string, count: number): string => {
  const bytes = new Uint8Array(count);
  new ChaCha20(seed).readInto(bytes);
  return hexOf(bytes);
};

describe('ChaCha20', () => {
  it('gives the keystream of RFC 8439, appendix A.1, vectors 1 and 2', () => {
    const first =
      '76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7' +
      'da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586';
    const second =
      '9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed' +
      '29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f';
    assert.equal(stream('0'.repeat(64), 128), first + second);
  });

  it('takes its seed as the key, first byte first', () => {
    // RFC 8439 appendix A.1, vector 4, is at block 2 of the key 00 ff 00 …
    const bytes = new Uint8Array(192);
    new ChaCha20(`00ff${'0'.repeat(60)}`).readInto(bytes);
    const expected =
      '72d54dfbf12ec44b362692df94137f328fea8da73990265ec1bbbea1ae9af0ca' +
      '13b25aa26cb4a648cb9b9d1be65b2c0924a66c54d545ec1b7374f4872e99f096';
    assert.equal(hexOf(bytes.subarray(128)), expected);
  });

  it('gives the same bytes in pieces as at once, to whole words', () => {
    const whole = stream('ab'.repeat(32), 100);
    const generator = new ChaCha20('ab'.repeat(32));
    const pieces = Array.from({ length: 25 }, () => {
      const bytes = new Uint8Array(4);
      generator.readInto(bytes);
      return hexOf(bytes);
    });
    assert.equal(pieces.join(''), whole);
  });
});

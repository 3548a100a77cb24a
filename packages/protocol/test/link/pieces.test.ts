import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cut, joinByteStrings, joinIntoPieces, linkLimits } from '../../src/index.ts';

const part = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

describe('joinIntoPieces', () => {
  it('joins small parts in their order, up to the size of a piece', () => {
    const third = Math.ceil(linkLimits.pieceBytes / 3);
    const parts = [1, 2, 3, 4].map((value) => part(third, value));
    const pieces = [...joinIntoPieces(parts)];
    assert.deepEqual(
      pieces.map(({ length }) => length),
      [2 * third, 2 * third],
    );
    assert.deepEqual(joinByteStrings(pieces), joinByteStrings(parts));
  });

  it('gives a part that is longer than a piece alone', () => {
    const long = part(linkLimits.pieceBytes + 1, 2);
    assert.deepEqual([...joinIntoPieces([part(1, 1), long, part(1, 3)])], [part(1, 1), long, part(1, 3)]);
  });

  it('gives nothing for nothing', () => {
    assert.deepEqual([...joinIntoPieces([])], []);
  });
});

describe('cut', () => {
  it('cuts bytes into parts of a length, the last one shorter', () => {
    assert.deepEqual(
      cut(part(5, 1), 2).map(({ length }) => length),
      [2, 2, 1],
    );
  });

  it('gives one empty part for nothing, so that there is a last one', () => {
    assert.deepEqual(
      cut(part(0, 0), 2).map(({ length }) => length),
      [0],
    );
  });
});

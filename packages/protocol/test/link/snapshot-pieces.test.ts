import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SnapshotState } from '../../src/journal/snapshot.ts';
import { limits } from '../../src/limits.ts';
import { linkLimits } from '../../src/link/limits.ts';
import { SnapshotIntake, snapshotPieces } from '../../src/link/snapshot-pieces.ts';
import { pack } from '../../src/packer.ts';

const state = (bytes: number, head?: Uint8Array): SnapshotState => ({
  entries: 1_000,
  runtime: 'quickjs-ng 1',
  imageHash: 'ab'.repeat(32),
  bytes: new Uint8Array(bytes).fill(7),
  ...(head && { head }),
});

describe('a snapshot on an engine link', () => {
  it('comes out as it went in, with and without a head, whatever its size, one after another', () => {
    const intake = new SnapshotIntake();
    const head = new Uint8Array(limits.snapshotHeadBytesMax).fill(9);
    for (const snapshot of [state(0), state(300_000), state(limits.snapshotBytesMax, head)]) {
      const pieces = snapshotPieces(snapshot);
      assert.ok(pieces.every(({ bytes }) => bytes.length <= linkLimits.snapshotPieceBytes));
      const came = pieces.map((piece) => intake.take(piece));
      assert.deepEqual(came.pop(), snapshot);
      assert.ok(came.every((one) => one === undefined));
    }
  });

  it('is refused when it is too long, or none', () => {
    const tooLong = { bytes: new Uint8Array(linkLimits.snapshotPieceBytes), isLast: false };
    const intake = new SnapshotIntake();
    assert.throws(
      () => {
        for (let sent = 0; sent <= 2 * limits.snapshotBytesMax; sent += tooLong.bytes.length) intake.take(tooLong);
      },
      { code: 'LIMIT_EXCEEDED' },
    );
    for (const bytes of [new Uint8Array(3), pack({ entries: 1 }), pack({ ...state(1), imageHash: 'x' })]) {
      assert.throws(() => new SnapshotIntake().take({ bytes, isLast: true }), { code: 'INVALID_ARGUMENT' });
    }
  });

  it('goes on without a head that is too long', () => {
    const intake = new SnapshotIntake();
    const pieces = snapshotPieces(state(1, new Uint8Array(limits.snapshotHeadBytesMax + 1)));
    const last = pieces.map((piece) => intake.take(piece)).at(-1);
    assert.deepEqual([last?.entries, last?.head], [1_000, undefined]);
  });
});

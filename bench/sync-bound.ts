/** The disk alone: how often one process can make 4 KB durable, one after the other. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure } from './report.ts';

const pieceBytes = 4_096;
const warmUpSyncs = 20;

/** Appends 4 KB and syncs, for `ms`, to a file in `folder`. @returns how often per second */
export const measureSyncs = (folder: string, ms: number): number => {
  const file = openSync(join(folder, 'sync-bound'), 'a');
  const piece = new Uint8Array(pieceBytes).fill(1);
  const appendOnce = (): void => {
    writeSync(file, piece);
    fdatasyncSync(file);
  };
  try {
    for (let done = 0; done < warmUpSyncs; done += 1) appendOnce();
    const startMs = performance.now();
    let syncs = 0;
    let elapsedMs = 0;
    for (; elapsedMs < ms; elapsedMs = performance.now() - startMs) {
      appendOnce();
      syncs += 1;
    }
    return (syncs * 1_000) / elapsedMs;
  } finally {
    closeSync(file);
  }
};

/** The bound of a run, from a measurement at its start and one at its end: a disk that others use too is not steady. */
export const syncBound = (atStart: number, atEnd: number): Figure => ({
  name: 'sync_per_s',
  value: (atStart + atEnd) / 2,
  what: `appends of 4 KB, each followed by fdatasync, one after the other: mean of ${Math.round(atStart)} at the start and ${Math.round(atEnd)} at the end`,
});

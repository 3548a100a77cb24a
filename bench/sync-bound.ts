/** The disk alone: how often one process can make 4 KB durable, one after the other. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Figure } from './report.ts';

const pieceBytes = 4_096;
const warmUpSyncs = 20;

/** Appends 4 KB and syncs, for `ms`, to a new file in `folder`. */
export const measureSyncs = (folder: string, ms: number): Figure => {
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
    return {
      name: 'sync_per_s',
      value: (syncs * 1_000) / elapsedMs,
      what: 'appends of 4 KB, each followed by fdatasync, one after the other',
    };
  } finally {
    closeSync(file);
  }
};

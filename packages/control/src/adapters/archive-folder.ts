import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeFileSync,
  type Stats,
} from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@mvm-ci/protocol';
import type { Archive } from '../queue/pruner.ts';
import { sync } from './sync-path.ts';

/**
 * An archive in files of a folder, `jobs-YYYY-MM-DD.jsonl`: a line of JSON for each job, in the file of the day on which it was removed. A line
 * that a crash or a full disk cut off is taken away before others follow it: its job was not removed, and comes again.
 */
export const archiveFolder = (folder: string, clock: Clock): Archive => ({
  write: async (jobs) => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const day = new Date(clock.wallMs()).toISOString().slice(0, 'YYYY-MM-DD'.length);
    const file = openSync(join(folder, `jobs-${day}.jsonl`), 'a+', 0o600);
    try {
      const found = fstatSync(file);
      dropTornLine(file, found);
      // All of it is written, or this throws: a call that a full disk makes shorter does not.
      for await (const job of jobs) writeFileSync(file, `${JSON.stringify(job)}\n`);
      fsyncSync(file);
      if (found.size === 0) sync(folder);
    } finally {
      closeSync(file);
    }
  },
});

const dropTornLine = (file: number, { size }: Stats): void => {
  const whole = endOfLines(file, size);
  if (whole < size) ftruncateSync(file, whole);
};

/** Where the last whole line ends. */
const endOfLines = (file: number, size: number): number => {
  const piece = Buffer.alloc(65_536);
  for (let end = size; end > 0;) {
    const from = Math.max(0, end - piece.length);
    const read = readSync(file, piece, 0, end - from, from);
    const last = piece.subarray(0, read).lastIndexOf('\n');
    if (last >= 0) return from + last + 1;
    end = from;
  }
  return 0;
};

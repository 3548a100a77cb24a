import { closeSync, fsyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@mvm-ci/protocol';
import type { ArchivedJob } from '../queue/archived-job.ts';
import type { Archive } from '../queue/pruner.ts';

/** An archive in files of a folder, `jobs-YYYY-MM-DD.jsonl`: a line of JSON for each job, in the file of the day on which it was removed. */
export const archiveFolder = (folder: string, clock: Clock): Archive => ({
  write: (jobs) => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const day = new Date(clock.wallMs()).toISOString().slice(0, 'YYYY-MM-DD'.length);
    const file = openSync(join(folder, `jobs-${day}.jsonl`), 'a', 0o600);
    try {
      writeSync(file, lines(jobs));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return Promise.resolve();
  },
});

const lines = (jobs: readonly ArchivedJob[]): string => jobs.map((job) => `${JSON.stringify(job)}\n`).join('');

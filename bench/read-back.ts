/** Reads the jobs back as anybody could, to see that none is missing and none was done twice. */
import type { Client } from '@mvm-ci/client';
import { limits } from '@mvm-ci/protocol';
import { runLanes } from './lanes.ts';
import type { Tally } from './tally.ts';

const readLanes = 16;

/** The ids of all completed jobs, as the control plane lists them. */
export const readCompleted = async (client: Client): Promise<readonly string[]> => {
  const ids: string[] = [];
  let after: string | undefined;
  do {
    const { jobs, next } = await client.list({ state: 'completed', limit: limits.listRowsMax, after });
    ids.push(...jobs.map((job) => job.job_id));
    after = next;
  } while (after !== undefined);
  return ids;
};

/** What a job's journal says of its run. */
export interface JournalFacts {
  /** Unix time, whole ms, at which the engine began; undefined when it did not. */
  readonly startedMs: number | undefined;
  /** Completions that were accepted: one in a system that works. */
  readonly completions: number;
}

/** Reads a job's journal. */
export const readJournal = async (client: Client, job: string): Promise<JournalFacts> => {
  const { entries } = await client.journal(job);
  const startedAt = entries.find(({ kind }) => kind === 'started')?.['at'];
  return {
    startedMs: typeof startedAt === 'number' ? startedAt : undefined,
    completions: entries.filter(({ kind }) => kind === 'completed').length,
  };
};

/** Notes each completion that the journals of these jobs record. */
export const tallyJournals = async (client: Client, tally: Tally, signal: AbortSignal): Promise<void> => {
  const ids = tally.ids.values();
  await runLanes(readLanes, async () => {
    for (const id of ids) {
      signal.throwIfAborted();
      const { completions } = await readJournal(client, id);
      for (let noted = 0; noted < completions; noted += 1) tally.completed(id);
    }
  });
};

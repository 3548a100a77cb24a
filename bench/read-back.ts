/** Reads the jobs back over HTTP, as anybody could, to see that none is missing. */
import { limits, parseAs, routePath } from '@mvm-ci/protocol';
import { z } from 'zod';
import { runLanes } from './lanes.ts';
import type { Tally } from './tally.ts';
import type { HttpCaller } from './http-caller.ts';

const readLanes = 16;
const pageSchema = z.array(z.object({ job_id: z.string() }));
const statsSchema = z.object({ completed: z.number() });
const journalSchema = z.object({ entries: z.array(z.object({ kind: z.string(), at: z.number().optional() })) });

/** The ids of all completed jobs, as the control plane lists them. */
export const readCompleted = async (http: HttpCaller): Promise<readonly string[]> => {
  const ids: string[] = [];
  let after: string | undefined;
  do {
    const path = routePath('list', {}, { state: 'completed', limit: limits.listRowsMax, after });
    const { body, next } = await http.page(path);
    ids.push(...parseAs(pageSchema, body, 'a page of the list').map((job) => job.job_id));
    after = next;
  } while (after !== undefined);
  return ids;
};

/** How many jobs are completed now. */
export const countCompleted = async (http: HttpCaller): Promise<number> =>
  parseAs(statsSchema, await http.get(routePath('stats')), 'the stats').completed;

/** What a job's journal says of its run. */
export interface JournalFacts {
  /** Unix time, whole ms, at which the engine began; undefined when it did not. */
  readonly startedMs: number | undefined;
  /** Completions that were accepted: one in a system that works. */
  readonly completions: number;
}

/** Reads a job's journal. */
export const readJournal = async (http: HttpCaller, job: string): Promise<JournalFacts> => {
  const { entries } = parseAs(journalSchema, await http.get(routePath('journal', { job })), 'a journal');
  return {
    startedMs: entries.find(({ kind }) => kind === 'started')?.at,
    completions: entries.filter(({ kind }) => kind === 'completed').length,
  };
};

/** Notes each completion that the journals of these jobs record. */
export const tallyJournals = async (http: HttpCaller, tally: Tally, signal: AbortSignal): Promise<void> => {
  const ids = tally.ids.values();
  await runLanes(readLanes, async () => {
    for (const id of ids) {
      signal.throwIfAborted();
      const { completions } = await readJournal(http, id);
      for (let noted = 0; noted < completions; noted += 1) tally.completed(id);
    }
  });
};

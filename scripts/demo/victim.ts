import type { Client } from '@mvm-ci/client';
import { isFinal, type JobView } from '@mvm-ci/protocol';
import type { Cluster, EffectAudit, ReadyProcess } from '@mvm-ci/testkit';

const heldJobsMin = 3;
const entriesMin = 5;
const percentMax = 70;

/** The worker that dies, and what it held. */
export interface Victim {
  readonly process: ReadyProcess;
  readonly name: string;
  readonly jobs: readonly JobView[];
  /** Entries that the journal of each of its jobs held when it was dead; filled by {@link takeDown}. */
  readonly entries: Map<string, number>;
}

/**
 * A worker in the middle of several jobs, once a quarter of all jobs is done or all have begun; undefined before.
 *
 * @throws {Error} when all jobs are over: the demo would show nothing
 */
export const pickVictim = (jobs: readonly JobView[], cluster: Cluster, count: number): Victim | undefined => {
  if (jobs.length < count) return undefined;
  if (jobs.every((job) => isFinal(job.status))) {
    throw new Error('all jobs were over before a worker could be killed in the middle of them: take more jobs');
  }
  const completed = jobs.filter((job) => job.status === 'completed').length;
  if (completed < count / 4 && jobs.some((job) => job.status === 'pending')) return undefined;
  const deep = jobs.filter(isInTheMiddle);
  const byWorker = [...Map.groupBy(deep, (job) => job.claimed_by)].toSorted(([, a], [, b]) => b.length - a.length);
  const [node, held] = byWorker[0] ?? [null, []];
  const process = cluster.worker(node);
  if (!process || held.length < heldJobsMin) return undefined;
  return { process, name: process.field('name'), jobs: held, entries: new Map() };
};

const isInTheMiddle = (job: JobView): boolean =>
  job.status === 'in_progress' && job.journal_entries >= entriesMin && (job.progress?.percent ?? 0) <= percentMax;

/** What is needed to kill a victim. */
export interface TakeDown {
  readonly victim: Victim;
  readonly cluster: Cluster;
  readonly client: Client;
  readonly audit: EffectAudit;
  /** Whether the jobs run in an engine that outlives their worker and works on until their leases are over. */
  readonly isEngineElsewhere: boolean;
}

/**
 * Kills the victim and notes, from the stored journals, how far its jobs were.
 *
 * @returns what completes the audit once all jobs are over
 */
export const takeDown = async (scene: TakeDown): Promise<() => Promise<void>> => {
  const { victim, cluster, client, audit, isEngineElsewhere } = scene;
  const atMs = Date.now();
  await cluster.removeWorker(victim.process);
  // Read after its end: what it still managed to append counts, and nobody else has the jobs before the lease is over.
  const { jobs } = await client.list({ state: 'in_progress', limit: 1_000 });
  const held = jobs.filter((job) => job.claimed_by === victim.process.field('node'));
  const read = (): Promise<Awaited<ReturnType<Client['journal']>>[]> =>
    Promise.all(held.map((job) => client.journal(job.job_id)));
  const journals = await read();
  for (const journal of journals) victim.entries.set(journal.job_id, journal.entries.length);
  if (isEngineElsewhere) return async () => audit.noteKillOfHolder(atMs, await read());
  audit.noteKill(atMs, journals);
  return () => Promise.resolve();
};

/** A machine that stands still for longer than a lease costs leases too, which no kill explains. */
import type { JobView } from '@mvm-ci/protocol';
import type { AuditedJournal } from '@mvm-ci/testkit';

/** What happened to the jobs, beside what the receiver saw. */
export interface Fates {
  /** Once for each job that a killed worker held. */
  readonly killed: readonly Pick<AuditedJournal, 'job_id'>[];
  readonly ended: readonly JobView[];
  /** Of one job. */
  readonly requestsAtOnce: number;
}

/** The keys of `duplicated` that no stall explains: each that a job met excuses as many as it sends at once. */
export const unexplained = (
  duplicated: readonly string[],
  { killed, ended, requestsAtOnce }: Fates,
): readonly string[] => {
  const kills = countByJob(killed);
  return ended.flatMap((job) => {
    const stalls = job.lost_leases - (kills.get(job.job_id) ?? 0);
    return duplicated.filter((key) => key.startsWith(`${job.job_id}:`)).slice(stalls * requestsAtOnce);
  });
};

/** How many there are of each job. */
export const countByJob = (all: readonly Pick<AuditedJournal, 'job_id'>[]): ReadonlyMap<string, number> =>
  new Map([...Map.groupBy(all, ({ job_id: id }) => id)].map(([id, those]) => [id, those.length]));

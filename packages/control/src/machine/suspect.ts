/**
 * Suspects: jobs that may be what ended their workers. A job that kills its worker's process takes the others there with
 * it, and they all lose their leases; so that these don't end as dead letters beside it, a worker is given one suspect at
 * a time, and the next when the one before has run for a while.
 */
import { controlLimits } from '../limits.ts';
import type { JobRecord } from './job-row.ts';

/** Strikes from which a job is a suspect. The first lost lease says little: most workers die of something else. */
export const suspectStrikes = 2;

/** Strikes after one more lost lease. A job that got on under it, or ran for a while, starts from one. */
export const strikesAfterLoss = (job: JobRecord, at: number): number => {
  const gotOn = job.journalEntries > job.claimedEntries || at - job.claimedAt > controlLimits.suspectRunMs;
  return gotOn ? 1 : job.strikes + 1;
};

import { mvmError, type LeaseRef } from '@mvm-ci/protocol';
import type { JobRecord } from './job-row.ts';
import { isHeld } from './transition.ts';

/** What a worker names when it speaks for a job. */
export interface HolderClaim extends LeaseRef {
  readonly attempt: number;
}

/** @throws STALE_LEASE unless `worker` holds the job under the epoch and attempt that it names (I3) */
export const demandHolder = (job: JobRecord, worker: string, named: HolderClaim): void => {
  const holds = isHeld(job) && !job.bare && job.worker === worker && job.epoch === named.epoch;
  if (holds && job.attempt === named.attempt) return;
  throw staleLease(job, named);
};

const staleLease = (job: JobRecord, named: LeaseRef): Error =>
  mvmError(
    'STALE_LEASE',
    `epoch ${named.epoch} of job "${job.id}" is not the sender's lease: the job is ${job.state} with epoch ${job.epoch}`,
    { job_id: job.id, epoch: named.epoch, current_epoch: job.epoch, state: job.state },
  );

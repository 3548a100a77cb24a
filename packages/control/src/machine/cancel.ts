import { isFinal, mvmError } from '@mvm-ci/protocol';
import { commit, type Application } from './application.ts';
import type { CancelCommand } from './command.ts';
import type { JobRecord } from './job-row.ts';
import type { ReplyTo } from './reply.ts';
import { cancelled, isHeld } from './transition.ts';

/**
 * `cancel`: at once when nobody holds the job, else a wish that its holder learns of. Idempotent; the first reason stays.
 *
 * @throws JOB_NOT_FOUND, INVALID_TRANSITION when the job ended otherwise
 */
export const cancel = (app: Application, command: CancelCommand): ReplyTo<'cancel'> => {
  const job = app.tables.jobs.get(command.job);
  const saved = demanded(app, job, command);
  return { type: 'cancel', row: { ...saved, content: app.tables.jobs.content(saved) } };
};

const demanded = (app: Application, job: JobRecord, command: CancelCommand): JobRecord => {
  if (job.state === 'cancelled') return job;
  if (isFinal(job.state)) {
    throw mvmError('INVALID_TRANSITION', `job "${job.id}" is ${job.state} and can't be cancelled: it is over`, {
      job_id: job.id,
      from: job.state,
      to: 'cancelled',
    });
  }
  return requestCancel(app, job, command);
};

/** What is wished of whom. */
interface CancelWish {
  readonly reason: string;
  readonly at: number;
  /** How long its holder has; 0: none, it loses the job at once. @default as long as it takes */
  readonly graceMs?: number | null | undefined;
}

/** Cancels a job that is not over, or asks its holder to. A second wish can only shorten the grace. */
export const requestCancel = (
  app: Application,
  job: JobRecord,
  { reason, at, graceMs = null }: CancelWish,
): JobRecord => {
  if (!isHeld(job)) return commit(app, { before: job, next: cancelled(job, reason), at });
  const cancelAt = graceMs === null ? job.cancelAt : Math.min(at + graceMs, job.cancelAt ?? Infinity);
  if (graceMs === 0) return commit(app, { before: job, next: cancelled(job, job.cancelReason ?? reason), at });
  if (job.cancelReason !== null) {
    return cancelAt === job.cancelAt ? job : commit(app, { before: job, next: { ...job, cancelAt }, at });
  }
  app.effects.cancels.push({ job: job.id, epoch: job.epoch, reason });
  return commit(app, { before: job, next: { ...job, cancelReason: reason, cancelAt }, at });
};

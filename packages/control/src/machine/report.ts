/** `report`: what the holder of a bare claim says about its job. There is no epoch in it, so only a current claim counts. */
import { isFinal, mvmError } from '@mvm-ci/protocol';
import { commit, type Application } from './application.ts';
import type { ReportCommand } from './command.ts';
import type { JobRecord } from './job-row.ts';
import type { ReplyTo } from './reply.ts';
import { cancelled, completed, failed, finished, isHeld, started } from './transition.ts';

/** @throws JOB_NOT_FOUND, INVALID_TRANSITION, STALE_LEASE when a peer speaks for another's claim */
export const report = (app: Application, command: ReportCommand): ReplyTo<'report'> => {
  const job = app.tables.jobs.get(command.job);
  if (job.durable) throw refused(job, command, 'a workflow job is reported by the worker that runs it');
  if (isFinal(job.state) && job.state === command.status) return reply(app, job);
  if (!isHeld(job)) throw refused(job, command, 'no claim of it is current');
  if (command.worker !== null && command.worker !== job.worker) {
    throw mvmError('STALE_LEASE', `job "${job.id}" is claimed by another worker`, { job_id: job.id });
  }
  const saved = commit(app, { before: job, next: reported(app, job, command), at: command.at });
  if (isHeld(saved)) renew(app, saved);
  return reply(app, saved);
};

const reported = (app: Application, job: JobRecord, command: ReportCommand): JobRecord => {
  switch (command.status) {
    case 'claimed':
      if (job.state === 'claimed') return job;
      throw refused(job, command, 'a job does not go back');
    case 'in_progress':
      return started(job);
    case 'completed':
      return finished(completed(job, command.result ?? 'null'), job.epoch, command.outcomeHash);
    case 'failed':
      return failed(job, app.tables.jobs.content(job), failure(command));
    case 'cancelled':
      if (job.cancelReason !== null) return cancelled(job, job.cancelReason);
      throw refused(job, command, 'nobody asked for its cancellation');
    case 'pending':
    case 'waiting':
      throw refused(job, command, 'a job does not go back');
  }
};

const failure = (command: ReportCommand): Parameters<typeof failed>[2] => ({
  code: 'WORKFLOW_FAILED',
  message: command.error ?? 'reported as failed, without a reason',
  retryable: true,
  at: command.at,
  jitter: command.jitter,
});

const renew = (app: Application, job: JobRecord): void => {
  app.effects.leases.push({ job: job.id, epoch: job.epoch, worker: job.worker ?? '', incarnation: '', bare: true });
};

const reply = (app: Application, job: JobRecord): ReplyTo<'report'> => ({
  type: 'report',
  row: { ...job, content: app.tables.jobs.content(job) },
});

const refused = (job: JobRecord, command: ReportCommand, why: string): Error =>
  mvmError('INVALID_TRANSITION', `job "${job.id}" is ${job.state} and can't be reported ${command.status}: ${why}`, {
    job_id: job.id,
    from: job.state,
    to: command.status,
  });

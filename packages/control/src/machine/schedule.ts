/**
 * Schedules: `set-schedule`, `delete-schedule`, `fire-schedule`. When their times are is computed outside (`queue/scheduler.ts`)
 * and comes with the commands; what a time does while an earlier job is not over is decided here.
 *
 * 1. A time is done once: `fire-schedule` names it, and is ignored unless it is the next one.
 * 2. Setting a schedule again does not pass over a time that has come and is not done yet.
 * 3. A publish that is refused counts as skipped: the schedule goes on with its next time.
 */
import { isFinal, MvmError, mvmError, optionsOf, optionsText } from '@mvm-ci/protocol';
import { contentHash } from '../queue/content-hash.ts';
import type { Application } from './application.ts';
import { requestCancel } from './cancel.ts';
import type { DeleteScheduleCommand, FireScheduleCommand, PublishItem, SetScheduleCommand } from './command.ts';
import type { JobRecord } from './job-row.ts';
import { publish } from './publish.ts';
import type { ReplyTo } from './reply.ts';
import type { ScheduleRecord } from './schedule-table.ts';

/** Keeps what a schedule of this name has done. @throws QUEUE_FULL */
export const setSchedule = (app: Application, command: SetScheduleCommand): ReplyTo<'set-schedule'> => {
  const { name, spec, dueAt = null, schedulesMax } = command;
  const { schedules } = app.tables;
  const known = schedules.find(name);
  if (known === undefined && schedules.count() >= schedulesMax)
    throw mvmError('QUEUE_FULL', `there are at most ${schedulesMax} schedules`, { schedulesMax });
  const nextAt = dueAt !== null && known?.nextAt === dueAt ? dueAt : command.nextAt;
  const fresh = { lastAt: null, lastJob: null, skipped: 0, errorCode: null, errorMessage: null };
  return { type: 'set-schedule', schedule: schedules.put({ ...fresh, ...known, name, spec, nextAt }) };
};

/** Its jobs stay. @throws SCHEDULE_NOT_FOUND */
export const deleteSchedule = (app: Application, { name }: DeleteScheduleCommand): ReplyTo<'delete-schedule'> => {
  app.tables.schedules.get(name);
  app.tables.schedules.delete(name);
  return { type: 'delete-schedule' };
};

/** @throws SCHEDULE_NOT_FOUND */
export const fireSchedule = (app: Application, command: FireScheduleCommand): ReplyTo<'fire-schedule'> => {
  const { schedules } = app.tables;
  const schedule = schedules.get(command.name);
  if (schedule.nextAt !== command.scheduledFor) return { type: 'fire-schedule', schedule };
  const done = { ...schedule, nextAt: command.nextAt, lastAt: command.scheduledFor };
  return { type: 'fire-schedule', schedule: schedules.put(fired(app, done, command)) };
};

const fired = (app: Application, schedule: ScheduleRecord, command: FireScheduleCommand): ScheduleRecord => {
  const { job, overlap, at } = command;
  const running = runningJob(app, schedule);
  if (job === null || (running !== undefined && overlap === 'skip')) return skipped(schedule, null);
  if (running === undefined || overlap === 'allow') return published(app, schedule, { command, item: job });
  if (overlap === 'queue') return published(app, schedule, { command, item: after(job, running) });
  requestCancel(app, running, { reason: `its schedule ${schedule.name} has come to its next time`, at });
  return published(app, schedule, { command, item: job });
};

const runningJob = (app: Application, { lastJob }: ScheduleRecord): JobRecord | undefined => {
  const last = lastJob === null ? undefined : app.tables.jobs.find(lastJob);
  return last === undefined || isFinal(last.state) ? undefined : last;
};

const published = (
  app: Application,
  schedule: ScheduleRecord,
  { command, item }: { readonly command: FireScheduleCommand; readonly item: PublishItem },
): ScheduleRecord => {
  const { at, pendingJobsMax } = command;
  try {
    const reply = publish(app, { type: 'publish', at, jobs: [item], pendingJobsMax });
    return { ...schedule, lastJob: reply.jobs[0]?.job_id ?? null, errorCode: null, errorMessage: null };
  } catch (error) {
    if (!(error instanceof MvmError) || error.code === 'INTERNAL') throw error;
    return skipped(schedule, error);
  }
};

const skipped = (schedule: ScheduleRecord, error: MvmError | null): ScheduleRecord => ({
  ...schedule,
  skipped: schedule.skipped + 1,
  errorCode: error?.code ?? null,
  errorMessage: error?.message ?? null,
});

/** The same job, behind the one before. */
const after = (item: PublishItem, running: JobRecord): PublishItem => {
  const given = optionsOf(item.options ?? null);
  const options = optionsText({
    ...given,
    after: [...(given.after ?? []), running.id],
    on_dependency_failure: 'continue',
  });
  const { reference, input, attemptsMax, backoff } = item;
  const hash = contentHash({ reference, input, attemptsMax, backoff, options });
  return { ...item, options, hash };
};

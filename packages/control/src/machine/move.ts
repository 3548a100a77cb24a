/**
 * `move`: asks a job's holder to give it back, and keeps it for a worker that is to go on with it. When it is given back, nobody else
 * gets it for `moveReserveMs`; then it is anybody's, so that a worker that vanished meanwhile costs a moment and not the job.
 */
import { mvmError } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Application } from './application.ts';
import { demandAllowed } from './ban.ts';
import type { MoveCommand } from './command.ts';
import type { JobRecord, JobRow } from './job-row.ts';
import { canServe, flowRoom, type Ability } from './pick.ts';
import type { ReplyTo } from './reply.ts';
import { suspectStrikes } from './suspect.ts';
import { isHeld } from './transition.ts';

/** @throws JOB_NOT_FOUND, FORBIDDEN when the worker is banned, INVALID_TRANSITION when nobody runs the job, or the worker does already */
export const move = (app: Application, { job: id, worker }: MoveCommand): ReplyTo<'move'> => {
  const job = app.tables.jobs.get(id);
  demandAllowed(app, worker);
  if (!isHeld(job) || job.bare) {
    const why = isHeld(job) ? 'it is held by a bare claim' : `it is ${job.state}`;
    throw mvmError('INVALID_TRANSITION', `job "${id}" can't be moved: no worker runs it, ${why}`, {
      job_id: id,
      from: job.state,
    });
  }
  if (job.worker === worker) {
    throw mvmError('INVALID_TRANSITION', `job "${id}" can't be moved to worker ${worker}: it runs there already`, {
      job_id: id,
      worker,
    });
  }
  app.tables.moves.put(job.number, worker);
  app.effects.moves.push({ job: id, epoch: job.epoch });
  return { type: 'move', row: { ...job, content: app.tables.jobs.content(job) } };
};

/** A job that its holder gave back: kept for the worker that it was asked for, if it was. */
export const keptForMove = (app: Application, job: JobRecord, at: number): JobRecord => {
  const worker = job.state === 'pending' ? app.tables.moves.workerFor(job.number) : undefined;
  if (worker === undefined) return job;
  app.effects.called.push(worker);
  return { ...job, runAt: at + controlLimits.moveReserveMs };
};

/** Who takes what was kept for it, and how. */
interface Taking {
  readonly worker: string;
  readonly ability: Ability;
  readonly at: number;
  /** Each is taken before the next one is looked at: it may be the last for which there is room. */
  readonly take: (row: JobRow) => JobRow;
}

/** Gives a worker up to `count` jobs that were kept for it, by the rules that hold for all others. @returns those */
export const takeMoved = (app: Application, taking: Taking, count: number): JobRow[] => {
  const taken: JobRow[] = [];
  for (const row of app.tables.moves.waitingFor(taking.worker, count))
    if (mayTake(app, taking, row)) taken.push(taking.take(row));
  return taken;
};

const mayTake = (app: Application, { worker, ability, at }: Taking, { lane: id, strikes }: JobRow): boolean => {
  const { jobs, lanes } = app.tables;
  const lane = lanes.get(id);
  const isOneSuspectMore = strikes >= suspectStrikes && jobs.holdsSuspect(worker, at - controlLimits.suspectRunMs);
  return !isOneSuspectMore && canServe(ability, lane) && flowRoom(app, lane.flow, at) > 0;
};

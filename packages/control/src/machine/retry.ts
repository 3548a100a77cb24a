/** `retry`: jobs that failed or were cancelled are tried again, with all their attempts. */
import { optionsOf } from '@mvm-ci/protocol';
import { commit, type Application } from './application.ts';
import type { RetryCommand } from './command.ts';
import { laneName } from './publish.ts';
import type { ReplyTo } from './reply.ts';
import { retried } from './transition.ts';

/** Leaves those alone that are not over, completed, or are not there. */
export const retry = (app: Application, { jobs: ids, at }: RetryCommand): ReplyTo<'retry'> => {
  const again = ids.filter((id) => retryOne(app, id, at));
  return { type: 'retry', jobs: again };
};

const retryOne = (app: Application, id: string, at: number): boolean => {
  const job = app.tables.jobs.find(id);
  if (job === undefined || (job.state !== 'failed' && job.state !== 'cancelled')) return false;
  const content = app.tables.jobs.content(job);
  const lane = app.tables.lanes.lane(laneName(content, optionsOf(content.options)));
  commit(app, { before: { ...job, isReady: false }, next: retried(job, { at, lane: lane.id }), at });
  return true;
};

/**
 * `retry`: jobs that failed or were cancelled are tried again, with all their attempts. In the order in which they were published, so that
 * one that waited for others finds those that are tried again with it, and waits for them again.
 */
import { isFinal, optionsOf } from '@mvm-ci/protocol';
import { commit, type Application } from './application.ts';
import type { RetryCommand } from './command.ts';
import { isLost, tellResultsAgain } from './dependency.ts';
import type { JobRecord } from './job-row.ts';
import { laneName } from './publish.ts';
import type { ReplyTo } from './reply.ts';
import { retried } from './transition.ts';

/** Leaves those alone that are not over, completed, or are not there. */
export const retry = (app: Application, { jobs: ids, at }: RetryCommand): ReplyTo<'retry'> => {
  const lost = [...new Set(ids)].flatMap((id) => {
    const job = app.tables.jobs.find(id);
    return job !== undefined && isLost(job) ? [job] : [];
  });
  for (const job of lost.toSorted((a, b) => a.number - b.number)) retryOne(app, job, at);
  return { type: 'retry', jobs: lost.map(({ id }) => id) };
};

const retryOne = (app: Application, job: JobRecord, at: number): void => {
  const content = app.tables.jobs.content(job);
  const lane = app.tables.lanes.lane(laneName(content, optionsOf(content.options)));
  const awaited = stillAwaited(app, job);
  for (const one of awaited) app.tables.jobs.noteDependent(one);
  const next = retried(job, { at, lane: lane.id, dependenciesLeft: awaited.length });
  tellResultsAgain(app, commit(app, { before: { ...job, isReady: false }, next, at }), at);
};

const stillAwaited = (app: Application, job: JobRecord): readonly JobRecord[] =>
  app.tables.dependencies.dependencies(job.number).flatMap((number) => {
    const awaited = app.tables.jobs.findByNumber(number);
    return awaited === undefined || isFinal(awaited.state) ? [] : [awaited];
  });

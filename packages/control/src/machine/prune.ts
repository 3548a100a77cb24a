/** `prune`: forgets jobs that are over, with all that belongs to them. Which ones is the caller's to say (`queue/pruner.ts`). */
import { isFinal } from '@mvm-ci/protocol';
import type { Application } from './application.ts';
import type { PruneCommand } from './command.ts';
import type { ReplyTo } from './reply.ts';

/** Leaves those alone that are not over (any more), or are not there. */
export const prune = (app: Application, { jobs: ids }: PruneCommand): ReplyTo<'prune'> => {
  const { jobs } = app.tables;
  let pruned = 0;
  for (const id of ids) {
    const job = jobs.find(id);
    if (job === undefined || !isFinal(job.state)) continue;
    jobs.forget(job);
    pruned += 1;
  }
  return { type: 'prune', pruned };
};

import { controlLimits } from '../limits.ts';
import { commit, type Application } from './application.ts';
import type { ExpireCommand } from './command.ts';
import type { JobRecord } from './job-row.ts';
import type { ReplyTo } from './reply.ts';
import { isHeld, leaseLost } from './transition.ts';

/**
 * `expire`: ends leases that ran out. Those that are over already, or were claimed again, are left alone. Of a holder that lost
 * very many at once nobody can say which job it was: then it was none.
 */
export const expire = (app: Application, command: ExpireCommand): ReplyTo<'expire'> => {
  const lost = command.leases.flatMap(({ job: id, epoch }) => {
    const job = app.tables.jobs.find(id);
    return job !== undefined && isHeld(job) && job.epoch === epoch ? [job] : [];
  });
  const held = Map.groupBy(lost, holderOf);
  for (const job of lost) {
    const isBlamed = (held.get(holderOf(job))?.length ?? 0) <= controlLimits.blamedJobsMax;
    commit(app, { before: job, next: leaseLost(job, { at: command.at, isBlamed }), at: command.at });
  }
  return { type: 'expire' };
};

const holderOf = ({ worker, incarnation }: JobRecord): string => `${worker} ${incarnation}`;

import { commit, type Application } from './application.ts';
import type { ExpireCommand } from './command.ts';
import type { ReplyTo } from './reply.ts';
import { isHeld, leaseLost } from './transition.ts';

/** `expire`: ends leases that ran out. Those that are over already, or were claimed again, are left alone. */
export const expire = (app: Application, command: ExpireCommand): ReplyTo<'expire'> => {
  for (const lease of command.leases) {
    const job = app.tables.jobs.find(lease.job);
    if (job === undefined || !isHeld(job) || job.epoch !== lease.epoch) continue;
    commit(app, { before: job, next: leaseLost(job, command.at), at: command.at });
  }
  return { type: 'expire' };
};

import { systemClock } from '@mvm-ci/net';
import { limits } from '@mvm-ci/protocol';
import { ArgumentError } from '../argument-error.ts';
import { duration } from '../duration.ts';
import { stateText } from '../output/job-view.ts';
import { hasFilter, jobFilterOf, withJobFilter, type JobFilterFlags } from './job-filter.ts';
import { changeMany } from './many-jobs.ts';
import type { Registrar } from './registrar.ts';

interface CancelFlags extends JobFilterFlags {
  readonly reason?: string;
  readonly grace?: number;
  readonly force?: boolean;
}

const help = `
A job that nobody runs is cancelled at once. A worker that runs one is told to end it, and may clean up first; with --grace
it has that long, with --force no time at all: the job is taken away from it.
Without a job, all that are not over and fit the flags are cancelled.`;

/** `mvm-ci cancel [ID]` */
export const registerCancel = ({ program, server }: Registrar): void => {
  const command = program.command('cancel [job]').description('cancel a job, or many, waiting or running');
  withJobFilter(server.withOptions(command))
    .option('--reason <text>', 'why, for whoever looks at the job later')
    .option('--grace <time>', 'how long a worker has to end it, such as 30s', duration(limits.durationMsMax))
    .option('--force', 'give the worker no time')
    .addHelpText(
      'after',
      `${help}${server.examples('cancel 0b9c51', 'cancel 0b9c51 --reason "wrong site" --grace 30s', 'cancel --queue mail --state pending')}`,
    )
    .action(async (id: string | undefined, flags: CancelFlags) => {
      const context = server.open(flags);
      const { terminal, client } = context;
      const { reason, grace, force } = flags;
      if (force === true && grace !== undefined)
        throw new ArgumentError('INVALID_ARGUMENT', 'give --grace or --force, not both');
      const wish = { reason, grace_ms: force === true ? 0 : grace };
      if ((id !== undefined) === hasFilter(flags))
        throw new ArgumentError('INVALID_ARGUMENT', 'name one job, or say by flags which ones');
      if (id === undefined) {
        const filter = jobFilterOf(flags, systemClock.wallMs());
        return changeMany(
          context,
          (connection, after) => connection.cancelMany({ ...filter, after }, wish),
          'cancelled, or told to end',
        );
      }
      const job = await client().cancel(id, wish);
      const soon = job.status === 'cancelled' ? '' : ', its worker has been told to end it';
      terminal.result(job, () => `job ${job.job_id} is ${stateText(job.status, terminal.paint)}${soon}`);
    });
};

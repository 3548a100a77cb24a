import { systemClock } from '@mvm-ci/net';
import { ArgumentError } from '../argument-error.ts';
import { openContext, withClientOptions } from '../command-context.ts';
import { stateText } from '../output/job-view.ts';
import { hasFilter, jobFilterOf, withJobFilter, type JobFilterFlags } from './job-filter.ts';
import { changeMany } from './many-jobs.ts';
import { examples, type Registrar } from './registrar.ts';

const help = `
A job that failed or was cancelled is tried again with all its attempts and an empty journal. Without a job, all failed ones
that fit the flags are; --all means every failed job.
${examples('retry 0b9c51', 'retry --all', 'retry --module crawler --error WORKFLOW_FAILED --since 24h', 'retry --state cancelled --tag nightly')}`;

/** `mvm-ci retry [ID]` */
export const registerRetry = ({ program, host }: Registrar): void => {
  const command = program.command('retry [job]').description('try failed jobs again: the dead letters');
  withJobFilter(withClientOptions(command))
    .option('--all', 'every failed job')
    .addHelpText('after', help)
    .action(async (id: string | undefined, flags: JobFilterFlags & { readonly all?: boolean }) => {
      const context = openContext(host, flags);
      const { terminal, client } = context;
      const isNarrowed = hasFilter(flags);
      if ((id !== undefined) === (isNarrowed || flags.all === true))
        throw new ArgumentError('INVALID_ARGUMENT', 'name one job, or say which ones by flags, or --all');
      if (id !== undefined) {
        const job = await client().retry(id);
        return terminal.result(job, () => `job ${job.job_id} is ${stateText(job.status, terminal.paint)} again`);
      }
      const filter = jobFilterOf(flags, systemClock.wallMs());
      await changeMany(context, (connection, after) => connection.retryMany({ ...filter, after }), 'tried again');
    });
};

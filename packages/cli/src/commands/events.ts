import { systemClock } from '@mvm-ci/net';
import { openContext, withClientOptions } from '../command-context.ts';
import { answerInterrupts } from '../interrupt.ts';
import { wholeNumber } from '../option-value.ts';
import { stateText, timeText } from '../output/job-view.ts';
import { jobFilterOf, withJobFilter, type JobFilterFlags } from './job-filter.ts';
import { examples, type Registrar } from './registrar.ts';

/** `mvm-ci events` */
export const registerEvents = ({ program, host }: Registrar): void => {
  const command = program.command('events').description('follow the jobs as they change, until Ctrl-C');
  withJobFilter(withClientOptions(command))
    .option('--after <change>', 'begin after this change number', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .addHelpText('after', examples('events', 'events --after 0 --json', 'events --state failed --queue mail'))
    .action(async (flags: JobFilterFlags & { readonly after?: number }) => {
      const { terminal, client } = openContext(host, flags);
      const stopped = new AbortController();
      const stop = (): void => stopped.abort();
      const end = answerInterrupts(host, { drain: stop, stop });
      try {
        // The stream waits for a control plane that restarts: one that was never there is an error, as everywhere.
        await client().stats();
        const filter = jobFilterOf(flags, systemClock.wallMs());
        for await (const job of client().events({ ...filter, after: flags.after, signal: stopped.signal })) {
          const line = (): string =>
            `${timeText(job.updated_at_ms)}  ${job.job_id}  ${stateText(job.status, terminal.paint)}`;
          terminal.result(job, line);
        }
      } finally {
        end();
      }
    });
};

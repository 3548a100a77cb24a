import { systemClock } from '@mvm-ci/net';
import { limits } from '@mvm-ci/protocol';
import { wholeNumber } from '../option-value.ts';
import { jobColumns } from '../output/job-view.ts';
import { workerNames } from '../output/worker-names.ts';
import { jobFilterOf, withJobFilter, type JobFilterFlags } from './job-filter.ts';
import type { Registrar } from './registrar.ts';

interface ListFlags extends JobFilterFlags {
  readonly limit: number;
  readonly after?: number;
}

/** `mvm-ci list` */
export const registerList = ({ program, server }: Registrar): void => {
  withJobFilter(server.withOptions(program.command('list').description('list jobs, newest first')))
    .option(
      '--limit <count>',
      `most jobs to show, up to ${limits.listRowsMax}`,
      wholeNumber(1, limits.listRowsMax),
      100,
    )
    .option(
      '--after <cursor>',
      'go on after the page that ended with this cursor',
      wholeNumber(1, Number.MAX_SAFE_INTEGER),
    )
    .addHelpText(
      'after',
      server.examples('list', 'list --state failed --since 24h --limit 20', 'list --tag nightly --json'),
    )
    .action(async (flags: ListFlags) => {
      const context = server.open(flags);
      const { terminal, client } = context;
      const after = flags.after?.toString();
      const { jobs, next } = await client().list({
        ...jobFilterOf(flags, systemClock.wallMs()),
        limit: flags.limit,
        after,
      });
      const names = await workerNames(context, jobs);
      terminal.result({ jobs, next: next ?? null }, () =>
        terminal.table(jobs, jobColumns(terminal.paint, names), 'no jobs'),
      );
      if (next !== undefined) terminal.note(`more: --after ${next}`);
    });
};

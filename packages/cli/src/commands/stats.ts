import { jobStates } from '@mvm-ci/protocol';
import { openContext, withClientOptions } from '../command-context.ts';
import { stateText } from '../output/job-view.ts';
import { examples, type Registrar } from './registrar.ts';

/** `mvm-ci stats` */
export const registerStats = ({ program, host }: Registrar): void => {
  withClientOptions(program.command('stats').description('count the jobs in each state, and the workers'))
    .addHelpText('after', examples('stats', 'stats --json'))
    .action(async (flags: object) => {
      const { terminal, client } = openContext(host, flags);
      const stats = await client().stats();
      terminal.result(stats, () =>
        terminal.facts([
          ...jobStates.map((state) => [stateText(state, terminal.paint), String(stats[state])] as const),
          ['total', String(stats.total)],
          ['workers', String(stats.workers)],
        ]),
      );
    });
};

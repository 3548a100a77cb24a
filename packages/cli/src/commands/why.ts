import { stateText } from '../output/job-view.ts';
import type { Registrar } from './registrar.ts';

/** `mvm-ci why ID` */
export const registerWhy = ({ program, server }: Registrar): void => {
  const command = program.command('why <job>').description('say why a job is not running, or where it is');
  server
    .withOptions(command)
    .addHelpText('after', server.examples('why 0b9c51', 'why 0b9c51 --json'))
    .action(async (id: string, flags: object) => {
      const { terminal, client } = server.open(flags);
      const why = await client().why(id);
      terminal.result(why, () =>
        [
          `job ${why.job_id} is ${stateText(why.status, terminal.paint)}:`,
          ...why.reasons.map(({ text }) => `  - ${text}`),
        ].join('\n'),
      );
    });
};

import { jsonValue } from '../option-value.ts';
import type { Registrar } from './registrar.ts';

/** `mvm-ci query JOB NAME [ARGS]` */
export const registerQuery = ({ program, server }: Registrar): void => {
  const command = program
    .command('query <job> <name> [args]')
    .description('ask a workflow that runs or waits, by one of its query handlers; ARGS is JSON');
  server
    .withOptions(command)
    .addHelpText('after', server.examples('query 0b9c51 progress', `query 0b9c51 page '{"number":3}'`))
    .action(async (job: string, name: string, args: string | undefined) => {
      const { terminal, client } = server.open(command.opts());
      const value = await client().query(job, name, args === undefined ? null : jsonValue('ARGS', args));
      terminal.result({ job_id: job, query: name, value }, () => JSON.stringify(value, null, 2));
    });
};

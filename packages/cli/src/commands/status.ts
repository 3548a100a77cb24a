import { jobFacts } from '../output/job-view.ts';
import { workerNames } from '../output/worker-names.ts';
import type { Registrar } from './registrar.ts';

/** `mvm-ci status ID` */
export const registerStatus = ({ program, server }: Registrar): void => {
  const command = program.command('status <job>').description('show one job: its state, progress, result or error');
  server
    .withOptions(command)
    .option('--wait', 'wait until the job is over')
    .addHelpText('after', server.examples('status 0b9c51', 'status 0b9c51 --wait --json'))
    .action(async (id: string, flags: { readonly wait?: boolean }) => {
      const context = server.open(flags);
      const { terminal, client } = context;
      const job = await (flags.wait ? client().wait(id) : client().status(id));
      const names = await workerNames(context, [job]);
      terminal.result(job, () => jobFacts(job, terminal, names));
    });
};

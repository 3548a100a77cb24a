import { stateText } from '../output/job-view.ts';
import type { Registrar } from './registrar.ts';

/** `mvm-ci cancel ID` */
export const registerCancel = ({ program, server }: Registrar): void => {
  const command = program.command('cancel <job>').description('cancel a job, waiting or running');
  server
    .withOptions(command)
    .option('--reason <text>', 'why, for whoever looks at the job later')
    .addHelpText('after', server.examples('cancel 0b9c51', 'cancel 0b9c51 --reason "wrong site"'))
    .action(async (id: string, flags: { readonly reason?: string }) => {
      const { terminal, client } = server.open(flags);
      const job = await client().cancel(id, { reason: flags.reason });
      const soon = job.status === 'cancelled' ? '' : ', its worker has been told to end it';
      terminal.result(job, () => `job ${job.job_id} is ${stateText(job.status, terminal.paint)}${soon}`);
    });
};

import type { Registrar } from './registrar.ts';

const help = `
Its worker lets the effects that are in flight end, stores where the job is, and gives it back; WORKER (an id, the beginning of
one, or a name) goes on with it there. No effect is repeated. When WORKER takes it not within 5 s, any worker may.`;

/** `mvm-ci move ID WORKER` */
export const registerMove = ({ program, server }: Registrar): void => {
  const command = program.command('move <job> <worker>').description('have a running job go on at another worker');
  server
    .withOptions(command)
    .addHelpText('after', `${help}${server.examples('move 0b9c51 worker-2')}`)
    .action(async (id: string, worker: string, flags: object) => {
      const { terminal, client } = server.open(flags);
      const job = await client().move(id, { worker });
      terminal.result(job, () => `job ${job.job_id}: its worker has been told to give it back, for ${worker}`);
    });
};

import { jsonValue } from '../option-value.ts';
import type { Registrar } from './registrar.ts';

/** `mvm-ci send JOB TYPE [DATA]` */
export const registerSend = ({ program, server }: Registrar): void => {
  const command = program
    .command('send <job> <type> [data]')
    .description('send a message to a workflow that runs or waits; DATA is JSON');
  server
    .withOptions(command)
    .option('--id <id>', 'names the message: sent again under the same id it is the same message')
    .addHelpText(
      'after',
      server.examples(
        'send 0b9c51 approved',
        `send 0b9c51 approved '{"by":"ann"}'`,
        'send 0b9c51 approved --id approval-17',
      ),
    )
    .action(async (job: string, type: string, data: string | undefined) => {
      const flags: { readonly id?: string } = command.opts();
      const { terminal, client } = server.open(flags);
      const message = { type, data: data === undefined ? null : jsonValue('DATA', data), message_id: flags.id };
      const sent = await client().send(job, message);
      terminal.result(sent, () =>
        sent.created
          ? `message ${sent.number} is in the inbox of job ${job}`
          : `job ${job} had this message already, as number ${sent.number}`,
      );
    });
};

import type { LogLine } from '@mvm-ci/client';
import { limits } from '@mvm-ci/protocol';
import type { CommandContext } from '../command-context.ts';
import { wholeNumber } from '../option-value.ts';
import { lineText } from '../output/log-line.ts';
import type { Registrar } from './registrar.ts';

interface LogsFlags {
  readonly attempt?: number;
  readonly follow?: boolean;
}

/** `mvm-ci logs ID` */
export const registerLogs = ({ program, server }: Registrar): void => {
  server
    .withOptions(program.command('logs <job>').description('show what a job logged'))
    .option('--attempt <number>', 'of this attempt (default: the current one)', wholeNumber(1, limits.attemptsMax))
    .option('--follow', 'go on until the job is over; with --json one document a line')
    .addHelpText('after', server.examples('logs 0b9c51', 'logs 0b9c51 --follow'))
    .action(async (id: string, flags: LogsFlags) => {
      const context = server.open(flags);
      const client = context.client();
      if (flags.follow) return follow(context, client.logEvents(id, { attempt: flags.attempt }));
      const lines = await client.logs(id, { attempt: flags.attempt });
      context.terminal.result(lines, () => lines.map((line) => lineText(line, context.terminal.paint)).join('\n'));
    });
};

const follow = async ({ terminal }: CommandContext, lines: AsyncIterable<LogLine>): Promise<void> => {
  for await (const line of lines) terminal.result(line, () => lineText(line, terminal.paint));
};

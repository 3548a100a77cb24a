import type { Client } from '@mvm-ci/client';
import { isFinal, limits } from '@mvm-ci/protocol';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommandContext } from '../command-context.ts';
import { cliLimits } from '../limits.ts';
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
      if (flags.follow) return follow(context, client, { id, attempt: flags.attempt });
      const lines = await client.logs(id, { attempt: flags.attempt });
      context.terminal.result(lines, () => lines.map((line) => lineText(line, context.terminal.paint)).join('\n'));
    });
};

const follow = async (
  { terminal }: CommandContext,
  client: Client,
  { id, attempt }: { readonly id: string; readonly attempt: number | undefined },
): Promise<void> => {
  const seen = new Map<number, number>();
  for (;;) {
    // The state is read first: what the job logs between the two reads is shown before the end.
    const job = await client.status(id);
    const shown = attempt ?? job.attempt;
    const lines = await client.logs(id, { attempt: shown });
    for (const line of lines.slice(seen.get(shown) ?? 0)) terminal.result(line, () => lineText(line, terminal.paint));
    seen.set(shown, lines.length);
    if (isFinal(job.status)) return;
    await sleep(cliLimits.followMs);
  }
};

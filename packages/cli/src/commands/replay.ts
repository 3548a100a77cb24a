import type { LogLine } from '@mvm-ci/client';
import { limits } from '@mvm-ci/protocol';
import type { CommandContext } from '../command-context.ts';
import { loadModule } from '../module-archive.ts';
import { wholeNumber } from '../option-value.ts';
import { exitCodes } from '../output/failure.ts';
import { lineText } from '../output/log-line.ts';
import { LocalReplayer } from '../replay/local-replayer.ts';
import { replayView, verdictFacts, type ReplayView } from '../replay/replay-view.ts';
import { storedAttempt } from '../replay/stored-attempt.ts';
import type { Registrar, Server } from './registrar.ts';

interface ReplayFlags {
  readonly attempt?: number;
  readonly patchModule?: string;
}

const help = (server: Server): string => `
The job, live or over, isn't touched: its journal is fetched, and the workflow runs again in this process with the journal answering instead of
the world. What it logs on the way is printed. The exit code is 1 when it asked for something else than is recorded, or failed otherwise.
${server.examples('replay 0b9c51', 'replay 0b9c51 --patch-module examples/01-crawler', 'replay 0b9c51 --attempt 1 --json')}`;

/** `mvm-ci replay ID` */
export const registerReplay = ({ program, server, exit }: Registrar): void => {
  const command = program.command('replay <job>').description('run a job again from its journal, without any effect');
  server
    .withOptions(command)
    .option('--attempt <number>', 'this attempt (default: the current one)', wholeNumber(1, limits.attemptsMax))
    .option('--patch-module <path>', 'with this module: a workflow folder or source file, or a module file')
    .addHelpText('after', help(server))
    .action(async (id: string, flags: ReplayFlags) => {
      const context = server.open(flags);
      const view = await replayed(context, id, flags);
      context.terminal.result(view, () => shown(view, context));
      if (!view.compatible) exit(exitCodes.failed);
    });
};

const replayed = async ({ host, client }: CommandContext, id: string, flags: ReplayFlags): Promise<ReplayView> => {
  const patch = flags.patchModule === undefined ? undefined : await loadModule(host, flags.patchModule, patchName);
  const connection = client();
  const stored = await storedAttempt(connection, await connection.status(id), flags.attempt);
  await using replayer = await LocalReplayer.open((hash, options) =>
    hash === patch?.hash ? Promise.resolve(patch.bytes) : connection.moduleFile(hash, options),
  );
  return replayView(stored, await replayer.replay(stored, patch?.hash));
};

// The name under which a module would be deployed means nothing here.
const patchName = 'patch@0';

const shown = (view: ReplayView, { terminal }: CommandContext): string => {
  const lines = view.logs.map((line: LogLine) => lineText(line, terminal.paint));
  return [...lines, terminal.facts(verdictFacts(view, terminal.paint))].join('\n');
};

import { Command } from 'commander';
import { ArgumentError } from './argument-error.ts';
import { registerCommands } from './commands/register.ts';
import type { Host } from './host.ts';
import { exitCodes, reportFailure } from './output/failure.ts';
import { releaseVersion } from './version.ts';

/** Runs one command line. @returns the exit code; everything else went to the host's streams */
export const runCli = async (host: Host): Promise<number> => {
  const isJson = host.args.includes('--json');
  let exitCode: number = exitCodes.ok;
  const program = new Command('mvm-ci')
    .description('Jobs that survive crashes: a queue, peer-to-peer workers and durable WebAssembly.')
    .version(releaseVersion)
    .showHelpAfterError('(see --help)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void host.stdout.write(text),
      writeErr: (text) => void (isJson || host.stderr.write(text)),
    });
  program.hook('preAction', (_, command) => demandArguments(command));
  const ends = new AsyncDisposableStack();
  const commandHost = { ...host, atEnd: (end: () => Promise<void>): void => ends.defer(end) };
  registerCommands(program, commandHost, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(host.args, { from: 'user' });
    return exitCode;
  } catch (error) {
    return reportFailure(error, host, isJson);
  } finally {
    await ends.disposeAsync();
  }
};

// An empty one, of a variable that is not set, would ask the control plane for another route.
const demandArguments = ({ args, registeredArguments }: Command): void => {
  const empty = args.findIndex((text) => text.trim() === '');
  if (empty === -1) return;
  const name = registeredArguments[empty]?.name() ?? 'argument';
  throw new ArgumentError('INVALID_ARGUMENT', `<${name}> is empty`);
};

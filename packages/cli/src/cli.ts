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
      outputError: (text, write) => write(text.replace(/^error: /, 'error INVALID_ARGUMENT: ')),
    });
  program.hook('preAction', (_, command) => demandArguments(command));
  program.addHelpText('beforeAll', ({ command }) => {
    demandCommand(command);
    return '';
  });
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

// Help is asked for before a command is looked for: that of a command that is none would be its parent's.
const demandCommand = (shown: Command): void => {
  const word = shown.args.find((text) => text !== 'help' && text !== '--help' && text !== '-h');
  if (word === undefined || word.startsWith('-') || takesArguments(shown)) return;
  const isKnown = shown.commands.some((command) => command.name() === word || command.aliases().includes(word));
  if (!isKnown) shown.error(`error: unknown command '${word}'`);
};

/** Whether what begins no command of it is an argument: of its own, or of its default command. */
const takesArguments = (command: Command): boolean =>
  command.commands.length === 0 || groupsWithArguments.has(command.name());

const groupsWithArguments: ReadonlySet<string> = new Set(['journal']);

// An empty one, of a variable that is not set, would ask the control plane for another route.
const demandArguments = ({ args, registeredArguments }: Command): void => {
  const empty = args.findIndex((text) => text.trim() === '');
  if (empty === -1) return;
  const name = registeredArguments[empty]?.name() ?? 'argument';
  throw new ArgumentError('INVALID_ARGUMENT', `<${name}> is empty`);
};

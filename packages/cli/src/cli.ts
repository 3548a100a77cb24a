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
    showNamed(command);
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

// `help` shows what its first word names, whatever follows: the help of all that was named is shown instead.
const showNamed = (shown: Command): void => {
  const words = shown.parent?.args ?? [];
  if (words[0] !== 'help') return;
  const named = words
    .slice(2)
    .filter((word) => !word.startsWith('-'))
    .reduce((group, word) => commandOf(group, word) ?? group.error(`error: unknown command '${word}'`), shown);
  // Its help is asked for by the same words, that of its group was shown already.
  if (named !== shown) named.help();
};

// Help is asked for before a command is looked for: that of a command that is none would be its parent's.
const demandCommand = (shown: Command): void => {
  const word = shown.args.find((text) => text !== 'help' && text !== '--help' && text !== '-h');
  if (word === undefined || word.startsWith('-')) return;
  if (takesArguments(shown) && shown.args[0] !== 'help') return;
  if (commandOf(shown, word) === undefined) shown.error(`error: unknown command '${word}'`);
};

const commandOf = (group: Command, word: string): Command | undefined =>
  group.commands.find((command) => command.name() === word || command.aliases().includes(word));

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

import type { DeployedModule } from '@mvm-ci/protocol';
import type { Command } from 'commander';
import { openContext, withClientOptions, type CommandContext } from '../command-context.ts';
import type { CommandHost } from '../host.ts';

/** The server that a command talks to: how it is named on the command line, and how it is reached. */
export interface Server {
  /** Adds the options that say which one. */
  withOptions(command: Command): Command;
  /** Makes the context of one invocation from its flags. @throws CONFIG_INVALID */
  open(flags: object): CommandContext;
  /** Text after a command's help: command lines that work as they stand. */
  examples(...lines: readonly string[]): string;
  /** The command line that starts a workflow of a module. */
  startLine(module: DeployedModule): string;
}

/** What a command needs to put itself on the command line. */
export interface Registrar {
  readonly program: Command;
  readonly host: CommandHost;
  /** For the commands that both a control plane and an engine server have. */
  readonly server: Server;
  /** Sets the exit code of a command that ended without an error and yet did not succeed. */
  readonly exit: (code: number) => void;
}

/** Text after a command's help: command lines of `binary` that work as they stand. */
export const examplesOf =
  (binary: string) =>
  (...lines: readonly string[]): string =>
    `\nExamples:\n${lines.map((line) => `  $ npx ${binary} ${line}`).join('\n')}\n`;

/** The same of `mvm-ci`. */
export const examples: ReturnType<typeof examplesOf> = examplesOf('mvm-ci');

/** A control plane. */
export const controlPlaneServer = (host: CommandHost): Server => ({
  withOptions: withClientOptions,
  open: (flags) => openContext(host, flags),
  examples,
  startLine: ({ name, workflows }) => {
    const [first = ''] = workflows;
    const workflow = workflows.includes(name) || workflows.length < 2 ? name : `${name}/${first}`;
    return `npx mvm-ci publish ${workflow} --input '{}'`;
  },
});

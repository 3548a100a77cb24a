import type { Command } from 'commander';
import type { CommandHost } from '../host.ts';

/** What a command needs to put itself on the command line. */
export interface Registrar {
  readonly program: Command;
  readonly host: CommandHost;
  /** Sets the exit code of a command that ended without an error and yet did not succeed. */
  readonly exit: (code: number) => void;
}

/** Text after a command's help: command lines that work as they stand. */
export const examples = (...lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ npx mvm-ci ${line}`).join('\n')}\n`;

import type { JournalEntryView } from '@mvm-ci/client';
import { limits } from '@mvm-ci/protocol';
import type { Command } from 'commander';
import { wholeNumber } from '../option-value.ts';
import type { Column } from '../output/terminal.ts';
import { registerVerify } from './journal-verify.ts';
import type { Registrar, Server } from './registrar.ts';

const detailCharsMax = 100;

const columns: readonly Column<JournalEntryView>[] = [
  { head: 'SEQ', cell: (entry) => String(entry.seq) },
  { head: 'KIND', cell: (entry) => entry.kind },
  { head: 'WHAT', cell: (entry) => detail(entry) },
];

const help = (server: Server): string => `
What an entry holds is cut after ${detailCharsMax} characters; --json prints all of it.
${server.examples('journal show 0b9c51', 'journal 0b9c51 --attempt 1 --json')}`;

/** `mvm-ci journal [show] ID`, `mvm-ci journal verify` */
export const registerJournal = (registrar: Registrar): void => {
  const group = registrar.program.command('journal').description('show and check the journals of jobs');
  group.addHelpText('after', registrar.server.examples('journal 0b9c51', 'journal verify --all'));
  registerShow(group, registrar);
  registerVerify(group, registrar);
};

const registerShow = (group: Command, { server }: Registrar): void => {
  const command = group.command('show <job>', { isDefault: true });
  server
    .withOptions(command.description("show a job's journal: what it asked for and what it was told"))
    .option('--attempt <number>', 'of this attempt (default: the current one)', wholeNumber(1, limits.attemptsMax))
    .addHelpText('after', help(server))
    .action(async (id: string, flags: { readonly attempt?: number }) => {
      const { terminal, client } = server.open(flags);
      const journal = await client().journal(id, { attempt: flags.attempt });
      terminal.result(journal, () => terminal.table(journal.entries, columns, 'the journal is empty'));
    });
};

const detail = ({ seq: _seq, kind: _kind, ...fields }: JournalEntryView): string => {
  const text = JSON.stringify(fields);
  return text.length > detailCharsMax ? `${text.slice(0, detailCharsMax)}…` : text;
};

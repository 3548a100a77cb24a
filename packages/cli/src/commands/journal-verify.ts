import type { Client } from '@mvm-ci/client';
import { asMvmError, limits, type ErrorRecord, type JobView } from '@mvm-ci/protocol';
import type { Command } from 'commander';
import { exitCodes } from '../output/failure.ts';
import type { Column, Paint } from '../output/terminal.ts';
import type { Registrar, Server } from './registrar.ts';

/** What was found of one job. */
interface Verdict {
  readonly job_id: string;
  readonly attempts: number;
  /** In the journal of the current attempt. */
  readonly entries: number;
  /** Null: all is as it was written. */
  readonly error: ErrorRecord | null;
}

const help = (server: Server): string => `
Of each job all attempts are checked: that their entries are numbered without a gap, that each batch follows from the one before by
its hash, that all of them can be read, and that input and result are those that were stored. The exit code is 1 when one is damaged.
${server.examples('journal verify 0b9c51', 'journal verify --all --json')}`;

/** `mvm-ci journal verify [JOB…]` */
export const registerVerify = (group: Command, { server, exit }: Registrar): void => {
  const command = group.command('verify [jobs...]').description('check that journals are as they were written');
  server
    .withOptions(command)
    .option('--all', 'check all jobs that there are')
    .addHelpText('after', help(server))
    .action(async (ids: readonly string[], flags: { readonly all?: boolean }) => {
      if (ids.length > 0 === (flags.all === true)) command.error('error: name jobs, or give --all');
      const { terminal, client } = server.open(flags);
      const connection = client();
      const verdicts: Verdict[] = [];
      for await (const job of flags.all === true ? allJobs(connection) : named(connection, ids)) {
        const verdict = await verdictOn(connection, job);
        if (verdict) verdicts.push(verdict);
      }
      const damaged = verdicts.filter(({ error }) => error !== null);
      terminal.result(verdicts, () =>
        terminal.table(damaged.length > 0 ? damaged : verdicts, columns(terminal.paint), 'no jobs'),
      );
      terminal.note(`${verdicts.length} jobs checked, ${damaged.length} damaged`);
      if (damaged.length > 0) exit(exitCodes.failed);
    });
};

const columns = (paint: Paint): readonly Column<Verdict>[] => [
  { head: 'JOB', cell: ({ job_id: id }) => id },
  { head: 'ATTEMPTS', cell: ({ attempts }) => String(attempts) },
  { head: 'ENTRIES', cell: ({ entries }) => String(entries) },
  {
    head: 'VERDICT',
    cell: ({ error }) => (error === null ? paint.green('ok') : paint.red(`${error.code}: ${error.message}`)),
  },
];

const named = async function* (client: Client, ids: readonly string[]): AsyncGenerator<JobView> {
  for (const id of ids) yield client.status(id);
};

const allJobs = async function* (client: Client): AsyncGenerator<JobView> {
  let after: string | undefined;
  do {
    const page = await client.list({ limit: limits.listRowsMax, after });
    yield* page.jobs;
    after = page.next;
  } while (after !== undefined);
};

/** Undefined when the job was forgotten meanwhile: old ones are, while others are checked. */
const verdictOn = async (client: Client, job: JobView): Promise<Verdict | undefined> => {
  const { job_id: id, attempt: attempts, journal_entries: entries } = job;
  const found = { job_id: id, attempts, entries };
  try {
    // A list leaves long inputs and results out, and does not look at them.
    const whole = await client.status(id);
    if (whole.error?.code === 'JOURNAL_CORRUPT')
      return { ...found, error: { ...whole.error, code: 'JOURNAL_CORRUPT' } };
    for (let attempt = 1; attempt <= attempts; attempt += 1) await client.checkJournal(id, { attempt });
    return { ...found, error: null };
  } catch (thrown) {
    const error = asMvmError(thrown);
    if (error.code === 'JOB_NOT_FOUND') return undefined;
    if (error.code !== 'JOURNAL_CORRUPT') throw error;
    return { ...found, error: error.toRecord() };
  }
};

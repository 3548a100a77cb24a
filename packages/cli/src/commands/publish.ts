import type { Client } from '@mvm-ci/client';
import { limits, type JobView, type Published, type PublishJob } from '@mvm-ci/protocol';
import { openContext, withClientOptions, type CommandContext } from '../command-context.ts';
import { cliLimits } from '../limits.ts';
import { jobId, readInput, wholeNumber, type InputFlags } from '../option-value.ts';
import { exitCodes } from '../output/failure.ts';
import { jobFacts } from '../output/job-view.ts';
import { examples, type Registrar } from './registrar.ts';

interface PublishFlags extends InputFlags {
  readonly id?: string;
  readonly attempts?: number;
  readonly count?: number;
  readonly wait?: boolean;
}

/** `mvm-ci publish WORKFLOW` */
export const registerPublish = ({ program, host, exit }: Registrar): void => {
  const command = program.command('publish <workflow>').description('publish a job, and print its id');
  withClientOptions(command)
    .option('--input <json>', 'what the workflow is called with (default: null)')
    .option('--input-file <file>', 'the same from a file; - is the standard input')
    .option('--id <job>', 'the job id; publishing the same job with it again changes nothing', jobId)
    .option('--attempts <count>', 'how often the workflow may be tried', wholeNumber(1, limits.attemptsMax))
    .option('--count <count>', 'publish this many jobs alike', wholeNumber(1, cliLimits.publishCountMax))
    .option('--wait', 'wait until the job is over and show it; exit code 1 unless it completed')
    .addHelpText('after', help)
    .action(async (workflow: string, flags: PublishFlags) => {
      if (flags.count !== undefined && (flags.id !== undefined || flags.wait))
        command.error('error: --count goes with neither --id nor --wait');
      const context = openContext(host, flags);
      const job = await jobOf(context, workflow, flags);
      if (flags.count !== undefined) return publishMany(context, job, flags.count);
      const published = await context.client().publish(job);
      if (!flags.wait) return showPublished(context, published);
      const ended = await context.client().wait(published.job_id);
      showEnded(context, ended);
      if (ended.status !== 'completed') exit(exitCodes.failed);
    });
};

const help = `
WORKFLOW is name, name@version, name/workflow or name@version/workflow.
${examples(
  `publish crawler --input '{"url":"http://localhost:8080/"}'`,
  'publish crawler@1.2.0 --input-file input.json --attempts 3 --wait',
  `publish crawler --id nightly-2026-11-23 --input '{"url":"http://localhost:8080/"}'`,
)}`;

const jobOf = async ({ host }: CommandContext, workflow: string, flags: PublishFlags): Promise<PublishJob> => ({
  workflow,
  input: await readInput(host, flags),
  ...(flags.id !== undefined && { job_id: flags.id }),
  ...(flags.attempts !== undefined && { attempts_max: flags.attempts }),
});

const publishMany = async ({ terminal, client }: CommandContext, job: PublishJob, count: number): Promise<void> => {
  const published: Published[] = [];
  const connection: Client = client();
  while (published.length < count) {
    const size = Math.min(limits.publishJobsMax, count - published.length);
    published.push(...(await connection.publishMany(Array.from({ length: size }, () => job))));
  }
  terminal.result(published, () => published.map(({ job_id }) => job_id).join('\n'));
};

const showPublished = ({ terminal }: CommandContext, published: Published): void => {
  terminal.result(published, () => published.job_id);
  if (!published.created) terminal.note(`this job was there already, and is ${published.status}`);
};

const showEnded = ({ terminal }: CommandContext, job: JobView): void =>
  terminal.result(job, () => jobFacts(job, terminal));

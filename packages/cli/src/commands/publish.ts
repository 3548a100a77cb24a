import type { Client, PublishOptions } from '@mvm-ci/client';
import { limits, traceContext, type JobView, type Published, type PublishJob } from '@mvm-ci/protocol';
import { ArgumentError } from '../argument-error.ts';
import { openContext, withClientOptions, type CommandContext } from '../command-context.ts';
import { cliLimits } from '../limits.ts';
import { jobId, readInput, wholeNumber, type InputFlags } from '../option-value.ts';
import { exitCodes } from '../output/failure.ts';
import { jobFacts } from '../output/job-view.ts';
import { workerNames } from '../output/worker-names.ts';
import { queueOptions, withQueueOptions, type QueueFlags } from './queue-options.ts';
import { examples, type Registrar } from './registrar.ts';

interface PublishFlags extends InputFlags, QueueFlags {
  readonly id?: string;
  readonly attempts?: number;
  readonly count?: number;
  readonly wait?: boolean;
  readonly traceparent?: string;
}

/** `mvm-ci publish WORKFLOW` */
export const registerPublish = ({ program, host, exit }: Registrar): void => {
  const command = program.command('publish <workflow>').description('publish a job, and print its id');
  withQueueOptions(withClientOptions(command))
    .option('--input <json>', 'what the workflow is called with (default: null)')
    .option('--input-file <file>', 'the same from a file; - is the standard input')
    .option('--id <job>', 'the job id; publishing the same job with it again changes nothing', jobId)
    .option('--attempts <count>', 'how often the workflow may be tried', wholeNumber(1, limits.attemptsMax))
    .option('--count <count>', 'publish this many jobs alike', wholeNumber(1, cliLimits.publishCountMax))
    .option('--traceparent <header>', 'the trace that it is a part of, as W3C has it (TRACEPARENT)')
    .option('--wait', 'wait until the job is over and show it; exit code 1 unless it completed')
    .addHelpText('after', help)
    .action(async (workflow: string, flags: PublishFlags) => {
      if (flags.count !== undefined && (flags.id !== undefined || flags.wait))
        command.error('error: --count goes with neither --id nor --wait');
      const context = openContext(host, flags);
      const job = await jobOf(context, workflow, flags);
      const trace = traceOf(context, flags);
      if (flags.count !== undefined) return publishMany(context, { job, count: flags.count, trace });
      const published = await context.client().publish(job, trace);
      if (!flags.wait) return showPublished(context, published);
      const ended = await context.client().wait(published.job_id);
      await showEnded(context, ended);
      if (ended.status !== 'completed') exit(exitCodes.failed);
    });
};

const help = `
WORKFLOW is name, name@version, name/workflow or name@version/workflow.
${examples(
  `publish crawler --input '{"url":"http://localhost:8080/"}'`,
  'publish crawler@1.2.0 --input-file input.json --attempts 3 --wait',
  'publish crawler --traceparent 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'publish crawler --queue mail --priority 5 --key acme --delay 10m --timeout 1h',
  `publish crawler --id nightly-2026-11-23 --input '{"url":"http://localhost:8080/"}'`,
)}`;

const jobOf = async ({ host }: CommandContext, workflow: string, flags: PublishFlags): Promise<PublishJob> => ({
  workflow,
  ...queueOptions(flags),
  input: await readInput(host, flags),
  ...(flags.id !== undefined && { job_id: flags.id }),
  ...(flags.attempts !== undefined && { attempts_max: flags.attempts }),
});

/** Of the flag, or of the program that called this one. */
const traceOf = ({ host }: CommandContext, { traceparent: given }: PublishFlags): PublishOptions => {
  const { TRACEPARENT: inherited, TRACESTATE: tracestate } = host.env;
  if (given === undefined) return traceContext(inherited ?? null, tracestate ?? null) ?? {};
  const trace = traceContext(given, null);
  if (trace) return trace;
  throw new ArgumentError('INVALID_ARGUMENT', `--traceparent is 00-TRACE-SPAN-FLAGS, as W3C has it, not "${given}"`);
};

interface ManyAlike {
  readonly job: PublishJob;
  readonly count: number;
  readonly trace: PublishOptions;
}

const publishMany = async ({ terminal, client }: CommandContext, { job, count, trace }: ManyAlike): Promise<void> => {
  const published: Published[] = [];
  const connection: Client = client();
  while (published.length < count) {
    const size = Math.min(limits.publishJobsMax, count - published.length);
    published.push(
      ...(await connection.publishMany(
        Array.from({ length: size }, () => job),
        trace,
      )),
    );
  }
  terminal.result(published, () => published.map(({ job_id }) => job_id).join('\n'));
};

const showPublished = ({ terminal }: CommandContext, published: Published): void => {
  terminal.result(published, () => published.job_id);
  if (!published.created) terminal.note(`this job was there already, and is ${published.status}`);
};

const showEnded = async (context: CommandContext, job: JobView): Promise<void> => {
  const names = await workerNames(context, [job]);
  context.terminal.result(job, () => jobFacts(job, context.terminal, names));
};

import { limits } from '@mvm-ci/protocol';
import { openContext, withClientOptions } from '../command-context.ts';
import { jobId, readInput, wholeNumber, type InputFlags } from '../option-value.ts';
import { exitCodes } from '../output/failure.ts';
import { examples, type Registrar } from './registrar.ts';

interface RunFlags extends InputFlags {
  readonly id?: string;
  readonly attempts?: number;
}

const help = `
Only the result is printed on the standard output, as JSON; the job's id goes to the standard error first. Ctrl-C ends this command, and
the job goes on: wait for it again with status ID --wait. The exit code is 1 unless it completed.
${examples(`run crawler --input '{"url":"http://localhost:8080/"}'`, 'run crawler --id nightly --input-file input.json')}`;

/** `mvm-ci run WORKFLOW` */
export const registerRun = ({ program, host, exit }: Registrar): void => {
  const command = program.command('run <workflow>').description('publish a job, wait for it, and print its result');
  withClientOptions(command)
    .option('--input <json>', 'what the workflow is called with (default: null)')
    .option('--input-file <file>', 'the same from a file; - is the standard input')
    .option('--id <job>', 'the job id; with that of a job that is there already, this waits for it', jobId)
    .option('--attempts <count>', 'how often the workflow may be tried', wholeNumber(1, limits.attemptsMax))
    .addHelpText('after', help)
    .action(async (workflow: string, flags: RunFlags) => {
      const { terminal, client } = openContext(host, flags);
      const connection = client();
      const published = await connection.publish({
        workflow,
        input: await readInput(host, flags),
        ...(flags.id !== undefined && { job_id: flags.id }),
        ...(flags.attempts !== undefined && { attempts_max: flags.attempts }),
      });
      terminal.note(`job ${published.job_id}`);
      const job = await connection.wait(published.job_id);
      if (job.status === 'completed') return terminal.result(job.result, () => JSON.stringify(job.result));
      terminal.note(`the job is ${job.status}: ${job.error?.code ?? ''}: ${job.error?.message ?? ''}`);
      exit(exitCodes.failed);
    });
};

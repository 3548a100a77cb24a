import type { Client } from '@mvm-ci/client';
import { isFinal, MvmError } from '@mvm-ci/protocol';
import type { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import { ArgumentError } from '../../argument-error.ts';
import type { CommandContext } from '../../command-context.ts';
import { cliLimits } from '../../limits.ts';
import { jobId, jsonValue, readInput, type InputFlags } from '../../option-value.ts';
import { exitCodes } from '../../output/failure.ts';
import { progressText } from '../../output/job-view.ts';
import type { Registrar } from '../registrar.ts';

interface Flags extends InputFlags {
  readonly id?: string;
}

const help = `
MODULE is NAME, NAME@VERSION or NAME:VERSION; INPUT is JSON. Only the result is printed on the standard output, as JSON; what the workflow is
doing goes to the standard error. Ctrl-C ends this command, and the workflow goes on. The exit code is 1 unless it completed.
`;

/** `flawless run MODULE WORKFLOW [INPUT]` */
export const registerRun = (group: Command, { host, server, exit }: Registrar): void => {
  const command = group.command('run <module> <workflow> [input]');
  server
    .withOptions(command.description('start a workflow, wait for it, and print its result'))
    .option('--input <json>', 'the same as INPUT')
    .option('--input-file <file>', 'the same from a file; - is the standard input')
    .option('--id <id>', 'the id; with that of a workflow that was started already, this waits for it', jobId)
    .addHelpText(
      'after',
      help + server.examples(`run crawler start '{"url":"http://localhost:8080/"}'`, 'run crawler@1.0.0 start'),
    )
    .action(async (module: string, workflow: string, input: string | undefined) => {
      const flags: Flags = command.opts();
      const context = server.open(flags);
      const connection = context.client();
      const published = await connection.publish({
        workflow: `${module.replace(/:(?=[^:@]+$)/, '@')}/${workflow}`,
        input: await inputOf(input, () => readInput(host, flags), flags),
        ...(flags.id !== undefined && { job_id: flags.id }),
      });
      exit(await watch(context, connection, published.job_id));
    });
};

const inputOf = (text: string | undefined, fromFlags: () => Promise<unknown>, flags: Flags): unknown => {
  if (text === undefined) return fromFlags();
  if (flags.input === undefined && flags.inputFile === undefined) return jsonValue('INPUT', text);
  throw new ArgumentError('INVALID_ARGUMENT', 'give INPUT, --input or --input-file, not two of them');
};

/** Tells what the workflow does until it is over, or until Ctrl-C. @returns the exit code */
const watch = async ({ terminal, host }: CommandContext, client: Client, id: string): Promise<number> => {
  const stop = new AbortController();
  const end = host.onInterrupt(() => stop.abort());
  terminal.note(`workflow ${id} was started`);
  try {
    const ended = client.wait(id, { signal: stop.signal });
    const told = tell(client, { id, signal: stop.signal, say: (text) => terminal.note(text) });
    told.catch(() => undefined);
    const job = await ended;
    stop.abort();
    if (job.status !== 'completed') {
      terminal.note(`the workflow is ${job.status}: ${job.error?.code ?? ''}: ${job.error?.message ?? ''}`);
      return exitCodes.failed;
    }
    terminal.result(job.result, () => JSON.stringify(job.result));
    return exitCodes.ok;
  } catch (error) {
    if (!(error instanceof MvmError && error.code === 'CANCELLED')) throw error;
    terminal.note(`it goes on; wait for it again with: npx flawless status ${id} --wait`);
    return exitCodes.failed;
  } finally {
    stop.abort();
    end();
  }
};

interface Telling {
  readonly id: string;
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

const tell = async (client: Client, { id, signal, say }: Telling): Promise<void> => {
  let said = '';
  while (!signal.aborted) {
    const job = await client.status(id, { signal });
    const text = `${job.status} ${progressText(job)}`.trim();
    if (text !== said && !isFinal(job.status)) say(text);
    said = text;
    await sleep(cliLimits.followMs, undefined, { signal });
  }
};

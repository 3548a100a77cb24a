import { setTimeout as pause } from 'node:timers/promises';
import { limits, mvmError, type NodeView } from '@mvm-ci/protocol';
import type { Client } from '@mvm-ci/client';
import { openContext, withClientOptions } from '../command-context.ts';
import { duration, timeOrSecondsMs } from '../duration.ts';
import { cliLimits } from '../limits.ts';
import { examples, type Registrar } from './registrar.ts';

interface DrainFlags {
  readonly grace?: number;
  readonly wait?: boolean;
}

const help = `
WORKER is a node id, the beginning of one, or the name of one worker. It takes no more jobs; those that it holds and that
end within the grace time (--grace, else its own setting) are finished, the others go on elsewhere from where they are. Then its process ends,
with exit code 0: what starts it again (a supervisor, say) gets a worker that takes jobs. --wait returns when it has ended.
To end all of a machine's work before it goes away, drain its workers; to keep a node out for good, ban it.
${examples('drain build-7', 'drain 8a88e3 --grace 2m --wait')}`;

/** `mvm-ci drain WORKER` */
export const registerDrain = ({ program, host }: Registrar): void => {
  withClientOptions(program.command('drain <worker>').description('have a worker finish its jobs, and end'))
    .option(
      '--grace <time>',
      'what the jobs that it holds get, such as 30s',
      duration(limits.drainGraceMsMax, timeOrSecondsMs),
    )
    .option('--wait', 'return when it has ended')
    .addHelpText('after', help)
    .action(async (text: string, { grace, wait, ...flags }: DrainFlags) => {
      // `grace` is a setting of workers too, in seconds.
      const { terminal, client } = openContext(host, flags);
      const connection = client();
      const asked = await connection.drainNode(text, { graceMs: grace });
      const node = wait === true ? await ended(connection, asked) : asked;
      const state = wait === true ? 'has drained' : `drains; it holds ${node.jobs} jobs`;
      terminal.result(node, () => `worker ${node.node} (${node.name}) ${state}`);
    });
};

/** Waits until the process that was asked is gone, or another one of the same node is there. */
const ended = async (client: Client, { node }: NodeView): Promise<NodeView> => {
  for (;;) {
    const now = (await client.nodes()).find((one) => one.node === node);
    if (now === undefined) throw mvmError('NODE_NOT_FOUND', `the control plane knows no node ${node} any more`);
    if (now.connection === null || !now.draining) return now;
    await pause(cliLimits.drainPollMs);
  }
};

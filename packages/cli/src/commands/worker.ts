import { openContext, withJson } from '../command-context.ts';
import { defaults } from '../config/setting.ts';
import { examples, type Registrar } from './registrar.ts';

const help = `
The first Ctrl-C (or SIGTERM) drains: no new jobs, those that end within the grace time are finished, the others are
given back to go on elsewhere. The second one stops at once. Exit code 0 after a drain.
A control plane that can't be reached is tried until it answers, with a line in the log about the addresses. A ticket that
is refused, or a ban, ends the worker with the reason.
${examples(
  'worker --ticket "$(cat .mvm-ci/control-plane/endpoint.ticket)"',
  'worker --slots 64 --name build-7 --data .mvm-ci/worker',
  'worker --flawless-url iroh+h3://control-plane',
  'worker --flawless-url http://engine-a:27288,http://engine-b:27288',
)}`;

/** `mvm-ci worker` */
export const registerWorker = ({ program, host, exit }: Registrar): void => {
  const command = program.command('worker').description('join a control plane and run its jobs');
  withJson(command)
    .option('--ticket <ticket>', 'the ticket of the control plane, or the file that holds it (CONTROL_PLANE_TICKET)')
    .option('--slots <count>', `jobs at once (MVM_CI_SLOTS; default ${defaults.slots})`)
    .option('--name <name>', 'a name for people (MVM_CI_NAME; default: the first digits of the node id)')
    .option('--data <folder>', "keep the node's key here, to be the same node next time (MVM_CI_WORKER_DATA)")
    .option('--flawless-url <place>', 'where jobs run (FLAWLESS_URL; default: an engine in this worker)')
    .option('--flawless-token <token>', 'the token of the engine servers (FLAWLESS_TOKEN)')
    .option('--threads <count>', 'engine threads (MVM_CI_THREADS; default: one less than processors)')
    .option('--grace <seconds>', `time that running jobs get when it ends (MVM_CI_GRACE; default ${defaults.grace})`)
    .option('--bind <addresses>', 'UDP addresses of the peer endpoint, comma-separated (default: all interfaces)')
    .option('--relay <relay>', 'none, default (the public relays of n0) or a URL (MVM_CI_RELAY; default none)')
    .option('--discovery <how>', 'none, or default: find nodes by the DNS of n0 (MVM_CI_DISCOVERY; default none)')
    .option('--join-timeout <seconds>', 'give up when it has not joined by then (MVM_CI_JOIN_TIMEOUT; default: never)')
    .option('--secrets <file>', 'secrets that workflows may send, and where to (MVM_CI_SECRETS)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent (RUST_LOG; default info)')
    .addHelpText('after', help)
    .action(async ({ data: workerData, ...flags }: { readonly data?: string }) => {
      const context = openContext(host, { ...flags, workerData });
      const { runWorker } = await import('../long-running/worker.ts');
      exit(await runWorker(context));
    });
};

import { openContext, withJson } from '../command-context.ts';
import { defaults } from '../config/setting.ts';
import { examples, type Registrar } from './registrar.ts';

const help = `
The first Ctrl-C (or SIGTERM) drains: no new jobs, those that end within the grace time are finished, the others are
given back to go on elsewhere. The second one stops at once. Exit code 0 after a drain.
A control plane that can't be reached is tried until it answers, with a line in the log about the addresses. A ticket that
is refused, or a ban, ends the worker with the reason.
With --http it answers GET /healthz, /readyz (503 with the reasons while it takes no jobs) and /metrics, without a token.
${examples(
  'worker --ticket "$(cat .mvm-ci/control-plane/endpoint.ticket)"',
  'worker --slots 64 --name build-7 --data .mvm-ci/worker',
  'worker --tags gpu,eu --queues default,render',
  'worker --flawless-url iroh+h3://control-plane',
  'worker --flawless-url http://engine-a:27288,http://engine-b:27288',
)}`;

/** `mvm-ci worker` */
export const registerWorker = ({ program, host, exit }: Registrar): void => {
  const command = program.command('worker').description('join a control plane and run its jobs');
  withJson(command)
    .option('--ticket <ticket>', 'the ticket of the control plane, or the file that holds it (CONTROL_PLANE_TICKET)')
    .option('--slots <count>', `jobs at once (MVM_CI_SLOTS; default ${defaults.slots})`)
    .option('--tags <tags>', 'what this worker has, for jobs that need it, comma-separated (MVM_CI_TAGS)')
    .option('--queues <queues>', 'take jobs of these queues only, comma-separated (MVM_CI_QUEUES; default: all)')
    .option('--name <name>', 'a name for people (MVM_CI_NAME; default: the first digits of the node id)')
    .option('--data <folder>', "keep the node's key here, to be the same node next time (MVM_CI_WORKER_DATA)")
    .option('--http <host:port>', 'tell of its health and metrics here (MVM_CI_WORKER_HTTP; default: nowhere)')
    .option('--flawless-url <place>', 'where jobs run (FLAWLESS_URL; default: an engine in this worker)')
    .option('--flawless-token <token>', 'the token of the engine servers (FLAWLESS_TOKEN)')
    .option('--threads <count>', 'engine threads (MVM_CI_THREADS; default: one less than processors)')
    .option('--grace <seconds>', `time that running jobs get when it ends (MVM_CI_GRACE; default ${defaults.grace})`)
    .option('--bind <addresses>', 'UDP addresses of the peer endpoint, comma-separated (default: all interfaces)')
    .option('--relay <relay>', 'none, default (the public relays of n0) or a URL (MVM_CI_RELAY; default none)')
    .option('--discovery <how>', 'none, or default: find nodes by the DNS of n0 (MVM_CI_DISCOVERY; default none)')
    .option('--join-timeout <seconds>', 'give up when it has not joined by then (MVM_CI_JOIN_TIMEOUT; default: never)')
    .option('--secrets <file>', 'secrets that workflows may send, and where to (MVM_CI_SECRETS)')
    .option('--otlp <url>', 'tell of its work as traces to this collector (OTEL_EXPORTER_OTLP_ENDPOINT)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent (RUST_LOG; default info)')
    .addHelpText('after', help)
    .action(
      async ({ data: workerData, http: workerHttp, ...flags }: { readonly data?: string; readonly http?: string }) => {
        const context = openContext(host, { ...flags, workerData, workerHttp });
        const { runWorker } = await import('../long-running/worker.ts');
        exit(await runWorker(context));
      },
    );
};

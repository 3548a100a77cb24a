import { engineLimits } from '@mvm-ci/engine';
import { openContext, withJson } from '../command-context.ts';
import { defaultDataFolder, defaultFlawless, defaults } from '../config/setting.ts';
import { examples, type Registrar } from './registrar.ts';

const { leaseMs, heartbeatMs, idleHeartbeatMs } = defaults;

const help = `
Workers join with the ticket that it prints and keeps in <data>/endpoint.ticket. On another address than loopback every
HTTP request needs the operator's token: the one given, or the one in <data>/operator.token.
The first Ctrl-C (or SIGTERM) ends it after the requests under way, with exit code 0; the second one at once.
${examples(
  'control-plane',
  'control-plane --data /var/lib/mvm-ci --http 0.0.0.0:3020',
  'control-plane --bind 0.0.0.0:3021 --advertise ci.example.org:3021',
  'control-plane --lease-ms 750 --heartbeat-ms 200',
  'control-plane --keep-completed 7d,1000000 --keep-failed 90d --archive /var/lib/mvm-ci/archive',
)}`;

/** `mvm-ci control-plane` */
export const registerControlPlane = ({ program, host, exit }: Registrar): void => {
  const command = program
    .command('control-plane')
    .description('keep the queue, and serve the API to users and workers');
  withJson(command)
    .option('--data <folder>', `where to keep everything (MVM_CI_DATA; default ${defaultDataFolder})`)
    .option('--http <host:port>', 'address of the HTTP API (HTTP_PORT for the port; default 127.0.0.1:3020)')
    .option('--token <token>', "the operator's token, to be demanded from every HTTP request (MVM_CI_TOKEN)")
    .option('--bind <addresses>', 'UDP addresses for workers, comma-separated (default: all interfaces)')
    .option('--advertise <addresses>', 'further host:port for tickets, such as behind a NAT (MVM_CI_ADVERTISE)')
    .option('--relay <relay>', 'none, default (the public relays of n0) or a URL (MVM_CI_RELAY; default none)')
    .option('--discovery <how>', 'none, or default: find nodes by the DNS of n0 (MVM_CI_DISCOVERY; default none)')
    .option('--ticket-copy <file>', 'write the ticket to this file too, for workers to read (MVM_CI_TICKET_COPY)')
    .option(
      '--flawless <host:port>',
      `address of the engine server beside it, or off (MVM_CI_FLAWLESS; default ${defaultFlawless})`,
    )
    .option('--flawless-token <token>', 'the token that the engine server demands (FLAWLESS_TOKEN)')
    .option('--engine <on|off>', 'lend its engine to workers that have none (MVM_CI_ENGINE; default on)')
    .option(
      '--max-runs <count>',
      `runs at once in that engine (MVM_CI_MAX_RUNS; default ${engineLimits.servedRunsDefault})`,
    )
    .option('--threads <count>', 'threads of that engine (MVM_CI_THREADS; default: one less than processors)')
    .option('--lease-ms <ms>', `a job of a silent worker goes on elsewhere after this time (default ${leaseMs})`)
    .option('--heartbeat-ms <ms>', `how often a worker that holds jobs is heard (default ${heartbeatMs})`)
    .option('--idle-heartbeat-ms <ms>', `how often one that holds none is (default ${idleHeartbeatMs})`)
    .option('--compact-after <seconds>', 'pack the journal of a job so long after its end, or off (default 60)')
    .option('--keep-completed <rule>', 'keep completed jobs for a time (7d), so many (100000), or both (default: all)')
    .option('--keep-failed <rule>', 'the same for failed jobs')
    .option('--keep-cancelled <rule>', 'the same for cancelled jobs')
    .option('--archive <folder>', 'write jobs there that are not kept, before they are removed')
    .option('--secrets <file>', 'secrets that workflows may send, and where to (MVM_CI_SECRETS)')
    .option('--otlp <url>', 'tell of its work as traces to this collector (OTEL_EXPORTER_OTLP_ENDPOINT)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent (RUST_LOG; default info)')
    .addHelpText('after', help)
    .action(async (flags: object) => {
      const context = openContext(host, flags);
      const { serveControlPlane } = await import('../long-running/control-plane.ts');
      exit(await serveControlPlane(context));
    });
};

import { engineLimits } from '@mvm-ci/engine';
import { Option, type Command } from 'commander';
import { openContext, withJson } from '../../command-context.ts';
import { defaultFlawless, defaultFlawlessFolder, defaults } from '../../config/setting.ts';
import type { Registrar } from '../registrar.ts';

const help = `
It keeps jobs and journals of its own in its data folder: after a crash it goes on with them where they were. Clients of Flawless and the
commands of this group use it. Workers use it too, with FLAWLESS_URL=http://HOST:PORT or as one of several in a pool: it keeps
nothing of their jobs, and with --jobs off nothing at all. On another address than loopback every request but those for
health needs the token. The first Ctrl-C (or SIGTERM) drains: what ends within the grace time is finished, the rest goes on later,
or elsewhere. The second one stops at once. Exit code 0 after a drain.
`;

interface Flags {
  readonly bind?: string;
  readonly http?: string;
  readonly data?: string;
  readonly token?: string;
}

/** `flawless up`, also without the verb */
export const registerUp = (group: Command, { host, server, exit }: Registrar): void => {
  const command = group.command('up', { isDefault: true }).argument('[verb]').usage('[options]');
  withJson(command.description('serve an engine: for itself, and for workers that run their jobs elsewhere'))
    .option('--http <host:port>', `where to listen (MVM_CI_FLAWLESS; default ${defaultFlawless})`)
    .option('--bind <host:port>', 'the same as --http')
    .option('--data <folder>', `where to keep jobs, journals and the token (default ${defaultFlawlessFolder})`)
    .option('--token <token>', 'the token to be demanded from every request (FLAWLESS_TOKEN)')
    .addOption(new Option('--jobs <on|off>', 'keep jobs of its own (MVM_CI_JOBS; default on)').choices(['on', 'off']))
    .option(
      '--max-runs <count>',
      `runs at once, of workers and of its own (MVM_CI_MAX_RUNS; default ${engineLimits.servedRunsDefault} each)`,
    )
    .option('--threads <count>', 'engine threads (MVM_CI_THREADS; default: one less than processors)')
    .option('--grace <seconds>', `time that runs get when it ends (MVM_CI_GRACE; default ${defaults.grace})`)
    .option('--secrets <file>', 'secrets that workflows may send, and where to (MVM_CI_SECRETS)')
    .option('--otlp <url>', 'tell of its work as traces to this collector (OTEL_EXPORTER_OTLP_ENDPOINT)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent (RUST_LOG; default info)')
    .addHelpText(
      'after',
      help + server.examples('up', 'up --http 0.0.0.0:27288 --data /var/lib/flawless', 'up --jobs off'),
    )
    .action(async (verb: string | undefined, { bind, http, data, token, ...flags }: Flags) => {
      if (verb !== undefined) command.error(`error: unknown command "${verb}": see flawless --help`);
      const given = { flawless: http ?? bind, flawlessData: data, flawlessToken: token };
      const context = openContext(host, { ...flags, ...given });
      const { serveFlawless } = await import('../../long-running/flawless.ts');
      exit(await serveFlawless(context));
    });
};

import { flawlessLimits } from '@mvm-ci/flawless';
import { openContext, withJson } from '../command-context.ts';
import { defaultFlawless, defaultFlawlessFolder, defaults } from '../config/setting.ts';
import { examples, type Registrar } from './registrar.ts';

const help = `
Workers use it with FLAWLESS_URL=http://HOST:PORT, or as one of several in a pool. It keeps nothing: a job whose engine
server is lost goes on at another one. On another address than loopback every request but those for health needs the token.
The first Ctrl-C (or SIGTERM) drains: no new runs, those that end within the grace time are finished, the others are given
back. The second one stops at once. Exit code 0 after a drain.
${examples(
  'flawless',
  'flawless up --http 0.0.0.0:27288 --data /var/lib/flawless',
  'flawless --max-runs 64 --threads 4',
)}`;

interface Flags {
  readonly bind?: string;
  readonly http?: string;
  readonly data?: string;
  readonly token?: string;
}

/** `mvm-ci flawless` */
export const registerFlawless = ({ program, host, exit }: Registrar): void => {
  // The name of the server's own command line: `flawless up`.
  const command = program.command('flawless').argument('[verb]', 'up, which may be left out').usage('[up] [options]');
  withJson(command.description('serve an engine, for workers that run their jobs elsewhere'))
    .option('--http <host:port>', `where to listen (MVM_CI_FLAWLESS; default ${defaultFlawless})`)
    .option('--bind <host:port>', 'the same as --http')
    .option('--data <folder>', `keeps the token, when one is made (default ${defaultFlawlessFolder})`)
    .option('--token <token>', 'the token to be demanded from every request (FLAWLESS_TOKEN)')
    .option('--max-runs <count>', `runs at once (MVM_CI_MAX_RUNS; default ${flawlessLimits.runsDefault})`)
    .option('--threads <count>', 'engine threads (MVM_CI_THREADS; default: one less than processors)')
    .option('--grace <seconds>', `time that runs get when it ends (MVM_CI_GRACE; default ${defaults.grace})`)
    .option('--secrets <file>', 'secrets that workflows may send, and where to (MVM_CI_SECRETS)')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent (RUST_LOG; default info)')
    .addHelpText('after', help)
    .action(async (verb: string | undefined, { bind, http, data, token, ...flags }: Flags) => {
      if (verb !== undefined && verb !== 'up') command.error(`error: unknown verb "${verb}": it is up`);
      const given = { flawless: http ?? bind, flawlessData: data, flawlessToken: token };
      const context = openContext(host, { ...flags, ...given });
      const { serveFlawless } = await import('../long-running/flawless.ts');
      exit(await serveFlawless(context));
    });
};

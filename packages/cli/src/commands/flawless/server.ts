import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, type Client } from '@mvm-ci/client';
import { mvmError } from '@mvm-ci/protocol';
import { parseEngineSetting } from '@mvm-ci/worker';
import { openContext, pathFrom, withJson, type CommandContext } from '../../command-context.ts';
import { defaultFlawless, type Config } from '../../config/setting.ts';
import type { CommandHost, Host } from '../../host.ts';
import { examplesOf, type Server } from '../registrar.ts';

interface Flags {
  readonly url?: string;
  readonly token?: string;
  readonly data?: string;
}

/** An engine server with jobs of its own. */
export const engineServer = (host: CommandHost): Server => ({
  withOptions: (command) =>
    withJson(command)
      .option('--url <url>', `the engine server (FLAWLESS_URL; default http://${defaultFlawless})`)
      .option('--token <token>', 'its token, where one is demanded (FLAWLESS_TOKEN)')
      .option('--data <folder>', 'its data folder, to read its token from'),
  open: (given) => {
    const { url, token, data, ...flags }: Flags = { ...given };
    const context = openContext(host, { ...flags, flawlessUrl: url, flawlessToken: token, flawlessData: data });
    let made: Client | undefined;
    return { ...context, client: () => (made ??= clientOf(context)) };
  },
  examples: examplesOf('flawless'),
  startLine: ({ name, version, workflows: [first = ''] }) => `npx flawless run ${name}@${version} ${first} '…'`,
});

/** @throws CONFIG_INVALID when the setting names another place for engines than one server */
const clientOf = ({ host, config }: CommandContext): Client => {
  const url = urlOf(config.flawlessUrl);
  const token = config.flawlessToken ?? keptToken(config, host);
  return createClient({ url, token, fetch: reach(url) });
};

const urlOf = (setting: string | undefined): string => {
  const place = parseEngineSetting(setting ?? `http://${defaultFlawless}`);
  if (place.kind === 'remote') return place.url;
  throw mvmError('CONFIG_INVALID', `"${setting}" is not the address of one engine server: give it with --url`, {
    received: setting,
  });
};

const keptToken = ({ flawlessData }: Config, host: Host): string | undefined => {
  if (flawlessData === undefined) return undefined;
  try {
    return readFileSync(join(pathFrom(host, flawlessData), 'flawless.token'), 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw mvmError('CONFIG_INVALID', `the engine server's token can't be read: ${String(error)}`);
  }
};

const reach =
  (base: string) =>
  async (url: string, init: RequestInit): Promise<Response> => {
    try {
      return await fetch(url, init);
    } catch (error) {
      if (init.signal?.aborted) throw error;
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const reason = cause instanceof Error ? cause.message || cause.name : String(cause);
      throw mvmError(
        'CONNECTION_LOST',
        `no engine server answers at ${base}: ${reason}`,
        { url: base },
        { cause: error },
      );
    }
  };

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createClient, type Client } from '@mvm-ci/client';
import { decodeTicket, systemClock } from '@mvm-ci/net';
import { mvmError } from '@mvm-ci/protocol';
import { Option, type Command } from 'commander';
import { ArgumentError } from './argument-error.ts';
import { readConfig } from './config/config.ts';
import type { Config } from './config/setting.ts';
import type { CommandHost, Host } from './host.ts';
import { PeerClient } from './peer-client.ts';
import { Terminal } from './output/terminal.ts';
import { ticketText } from './ticket-text.ts';

/** What a running command has at hand. */
export interface CommandContext {
  readonly host: Host;
  readonly config: Config;
  readonly terminal: Terminal;
  /** A client of the control plane that the settings name. */
  readonly client: () => Client;
}

/** Makes the context of one invocation from its flags. @throws CONFIG_INVALID */
export const openContext = (host: CommandHost, options: object): CommandContext => {
  const flags: Readonly<Record<string, unknown>> = { ...options };
  const config = readConfig({ flags, env: host.env, cwd: host.cwd });
  const terminal = new Terminal(host, flags['json'] === true);
  let made: Client | undefined;
  const client = (): Client => (made ??= clientOf({ host, config, terminal }, flags));
  return { host, config, terminal, client };
};

/** By the ticket, over iroh, or by the URL: a flag goes before what the environment or the file says. */
const clientOf = (
  { host, config, terminal }: Omit<CommandContext, 'client'> & { readonly host: CommandHost },
  { url, clientTicket }: Readonly<Record<string, unknown>>,
): Client => {
  if (url !== undefined && clientTicket !== undefined)
    throw new ArgumentError('INVALID_ARGUMENT', 'give --url or --ticket, not both');
  if (config.clientTicket === undefined || url !== undefined)
    return createClient({ url: config.url, token: config.token ?? storedToken(config, host) });
  const ticket = decodeTicket(ticketText(host, config.clientTicket), { clock: systemClock });
  const folder = pathFrom(host, config.clientData);
  const peer = new PeerClient({ ticket, folder, config, warn: (text) => terminal.note(text) });
  host.atEnd(() => peer.close());
  return createClient({ url: peer.url, fetch: peer.fetch });
};

/** `--ticket` of these commands is another setting than a worker's, whose ticket they don't use by accident. */
class ClientTicketOption extends Option {
  override attributeName(): string {
    return 'clientTicket';
  }
}

/** Adds `--json`, which every command has. */
export const withJson = (command: Command): Command =>
  command.option('--json', 'print one JSON document for programs; errors are JSON on stderr');

/** Adds the options of the commands that talk to a control plane. */
export const withClientOptions = (command: Command): Command =>
  withJson(command)
    .addOption(new Option('--url <url>', 'the control plane (MVM_CI_URL; default http://localhost:3020)'))
    .addOption(
      new ClientTicketOption(
        '--ticket <ticket>',
        'go over the peer plane, by this ticket, or the file that holds it (MVM_CI_TICKET)',
      ),
    )
    .addOption(
      new Option(
        '--client-data <folder>',
        'keys of commands with a ticket (MVM_CI_CLIENT_DATA; default .mvm-ci/client)',
      ),
    )
    .addOption(new Option('--relay <relay>', 'with a ticket: none, default or a URL (MVM_CI_RELAY; default none)'))
    .addOption(new Option('--token <token>', "the operator's token, where one is demanded (MVM_CI_TOKEN)"))
    .addOption(new Option('--data <folder>', "the control plane's data folder, to read its token from (MVM_CI_DATA)"));

/** The absolute path of what the user named. */
export const pathFrom = (host: Host, path: string): string => resolve(host.cwd, path);

const storedToken = ({ data }: Config, host: Host): string | undefined => {
  if (data === undefined) return undefined;
  const path = join(pathFrom(host, data), 'operator.token');
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw mvmError('CONFIG_INVALID', `the operator's token can't be read: ${String(error)}`, { path });
  }
};

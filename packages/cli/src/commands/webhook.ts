import { jobStates, type JobState, type WebhookView } from '@mvm-ci/protocol';
import { InvalidArgumentError, type Command } from 'commander';
import { openContext, withClientOptions } from '../command-context.ts';
import { jobId, shortText } from '../option-value.ts';
import type { Column } from '../output/terminal.ts';
import { examples, type Registrar } from './registrar.ts';

/** `mvm-ci webhook [list]|set|delete` */
export const registerWebhook = (registrar: Registrar): void => {
  const group = registrar.program
    .command('webhook')
    .description('have requests sent when jobs change')
    .addHelpText('after', examples('webhook set chat https://chat.example/hooks/1 --states failed', 'webhook'));
  registerList(group, registrar);
  registerSet(group, registrar);
  registerDelete(group, registrar);
};

const columns: readonly Column<WebhookView>[] = [
  { head: 'WEBHOOK', cell: ({ webhook }) => webhook },
  { head: 'URL', cell: ({ url }) => url },
  { head: 'STATES', cell: ({ states }) => states.join(', ') },
  { head: 'QUEUE', cell: ({ queue }) => queue ?? 'all' },
  { head: 'SIGNED', cell: ({ signed }) => (signed ? 'yes' : 'no') },
  { head: 'CHANGE', cell: ({ change }) => String(change) },
  { head: 'DROPPED', cell: ({ dropped }) => String(dropped) },
  { head: 'ERROR', cell: ({ error }) => error ?? '' },
];

const registerList = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('list', { isDefault: true }).description('all webhooks')).action(
    async (flags: object) => {
      const { terminal, client } = openContext(host, flags);
      const webhooks = await client().webhooks();
      terminal.result(webhooks, () => terminal.table(webhooks, columns, 'no webhooks'));
    },
  );
};

interface SetFlags {
  readonly states?: readonly JobState[];
  readonly queue?: string;
  readonly secret?: string;
}

const registerSet = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('set <name> <url>').description('set a webhook, or replace one'))
    .option('--states <states>', 'states of which it is told, comma-separated (default: the final ones)', stateList)
    .option('--queue <queue>', 'only of jobs of this queue', jobId)
    .option('--secret <text>', 'sign what is sent with it', shortText)
    .addHelpText('after', examples('webhook set audit https://audit.example/in --secret "$SECRET" --queue mail'))
    .action(async (name: string, url: string, flags: SetFlags) => {
      const { terminal, client } = openContext(host, flags);
      const { states, queue, secret } = flags;
      const webhook = await client().setWebhook(name, { url, states, queue, secret });
      terminal.result(webhook, () => terminal.table([webhook], columns, ''));
    });
};

const registerDelete = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('delete <name>').description('delete a webhook')).action(
    async (name: string, flags: object) => {
      const { terminal, client } = openContext(host, flags);
      await client().deleteWebhook(name);
      terminal.result({ deleted: name }, () => `webhook ${name} is deleted`);
    },
  );
};

const stateList = (text: string): readonly JobState[] =>
  text.split(',').map((one) => {
    const state = jobStates.find((known) => known === one.trim());
    if (state !== undefined) return state;
    throw new InvalidArgumentError(`it must be some of ${jobStates.join(', ')}, received "${one}".`);
  });

import { limits, nodeRoles, type CreateTicket, type NodeRole, type TicketView } from '@mvm-ci/protocol';
import { Option, type Command } from 'commander';
import { openContext, withClientOptions } from '../command-context.ts';
import { duration } from '../duration.ts';
import { shortText, tagList, wholeNumber } from '../option-value.ts';
import { timeText } from '../output/job-view.ts';
import type { Column, Paint } from '../output/terminal.ts';
import { examples, type Registrar } from './registrar.ts';

/** `mvm-ci ticket create|list|revoke` */
export const registerTicket = (registrar: Registrar): void => {
  const group = registrar.program.command('ticket').description('make, list and revoke tickets, by which nodes join');
  group.addHelpText('after', examples('ticket create --uses 1 --expires 24h', 'ticket list'));
  registerCreate(group, registrar);
  registerList(group, registrar);
  registerRevoke(group, registrar);
};

interface CreateFlags {
  readonly uses?: number;
  readonly expires?: number;
  readonly tags?: readonly string[];
  readonly role?: NodeRole;
  readonly name?: string;
}

const createHelp = `
The ticket is printed once: the control plane keeps only a hash of its token. A node that has joined comes back without
using the ticket up again. Roles: a worker runs jobs; a publisher publishes, watches and cancels them; an admin may do
everything that the operator may. A node keeps the role and the tags of the ticket that it joined by first.
${examples(
  'ticket create',
  'ticket create --uses 1 --expires 24h --name build-7',
  'ticket create --role publisher --expires 7d --json',
)}`;

const registerCreate = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('create').description('make a ticket, and print it'))
    .option(
      '--uses <count>',
      'new nodes that may join by it (default: any number)',
      wholeNumber(1, limits.ticketUsesMax),
    )
    .option(
      '--expires <duration>',
      'such as 90s, 15m, 24h or 7d (default: never)',
      duration(limits.ticketLifetimeMsMax),
    )
    .option('--tags <tags>', 'tags of the nodes that join by it, comma-separated', tagList)
    .addOption(new Option('--role <role>', 'what they may do (default: worker)').choices(nodeRoles))
    .option('--name <text>', 'for people', shortText)
    .addHelpText('after', createHelp)
    .action(async (flags: CreateFlags) => {
      const { terminal, client } = openContext(host, flags);
      const created = await client().createTicket(wishOf(flags));
      terminal.result(created, () => created.ticket);
      const { id, role, expires_at_ms: expires, uses_max: uses } = created;
      const end = expires === null ? 'does not expire' : `expires at ${timeText(expires)} UTC`;
      const many = uses === null ? 'any number of nodes' : `${uses} new ${uses === 1 ? 'node' : 'nodes'}`;
      terminal.note(`ticket ${id} lets in ${many} as ${role} and ${end}; it is not shown again`);
    });
};

const wishOf = ({ uses, expires, tags, role, name }: CreateFlags): CreateTicket => ({
  ...(uses !== undefined && { uses }),
  ...(expires !== undefined && { expires_in_ms: expires }),
  ...(tags && { tags }),
  ...(role && { role }),
  ...(name !== undefined && { name }),
});

const columns = (paint: Paint): readonly Column<TicketView>[] => [
  { head: 'TICKET', cell: (ticket) => ticket.id },
  { head: 'NAME', cell: (ticket) => ticket.name ?? '' },
  { head: 'ROLE', cell: (ticket) => ticket.role },
  { head: 'STATE', cell: ({ state }) => (state === 'open' ? paint.green(state) : paint.dim(state)) },
  { head: 'USES', cell: (ticket) => `${ticket.uses}/${ticket.uses_max ?? '∞'}` },
  { head: 'EXPIRES', cell: ({ expires_at_ms: at }) => (at === null ? 'never' : timeText(at)) },
  { head: 'TAGS', cell: (ticket) => ticket.tags.join(', ') },
  { head: 'CREATED', cell: (ticket) => timeText(ticket.created_at_ms) },
];

const registerList = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('list').description('list all tickets, the latest first, without their texts'))
    .addHelpText('after', examples('ticket list', 'ticket list --json'))
    .action(async (flags: object) => {
      const { terminal, client } = openContext(host, flags);
      const tickets = await client().tickets();
      terminal.result(tickets, () => terminal.table(tickets, columns(terminal.paint), 'no tickets'));
    });
};

const revokeHelp = `
A revoked ticket lets nobody new in. Nodes that joined by it before stay: shut one out with mvm-ci nodes ban NODE. The
control plane's own ticket (endpoint.ticket) can be revoked too.
${examples('ticket revoke 4f2a90c1b7de')}`;

const registerRevoke = (group: Command, { host }: Registrar): void => {
  withClientOptions(group.command('revoke <id>').description('let nobody new in by a ticket'))
    .addHelpText('after', revokeHelp)
    .action(async (id: string, flags: object) => {
      const { terminal, client } = openContext(host, flags);
      const ticket = await client().revokeTicket(id);
      terminal.result(ticket, () => `ticket ${ticket.id} is revoked; ${ticket.uses} nodes that joined by it stay`);
    });
};

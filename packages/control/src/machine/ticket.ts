/** `create-ticket` and `revoke-ticket`, and whether a ticket lets a new node in. */
import { mvmError, type TicketView } from '@mvm-ci/protocol';
import type { Application } from './application.ts';
import type { CreateTicketCommand, RevokeTicketCommand } from './command.ts';
import type { ReplyTo } from './reply.ts';
import type { TicketRecord } from './ticket-table.ts';

/**
 * Makes a ticket. At `ticketsMax` those that let nobody in any more are forgotten.
 *
 * @throws QUEUE_FULL when as many are still good
 */
export const createTicket = (app: Application, command: CreateTicketCommand): ReplyTo<'create-ticket'> => {
  const { tickets } = app.tables;
  const known = tickets.findByHash(command.hash);
  if (known !== undefined) return { type: 'create-ticket', ticket: known };
  if (tickets.count() >= command.ticketsMax) tickets.removeDead(command.at);
  if (tickets.count() >= command.ticketsMax) {
    throw mvmError('QUEUE_FULL', `a cluster has at most ${command.ticketsMax} tickets: revoke some`);
  }
  const { id, hash, name, role, tags, usesMax, expiresAt, at } = command;
  tickets.insert({ id, name, role, tags, usesMax, expiresAt, createdAt: at, hash });
  return { type: 'create-ticket', ticket: tickets.get(id) };
};

/** From now on the ticket lets no new node in; nodes that joined by it stay. Idempotent. @throws TICKET_NOT_FOUND */
export const revokeTicket = (app: Application, { id, at }: RevokeTicketCommand): ReplyTo<'revoke-ticket'> => {
  app.tables.tickets.revoke(id, at);
  return { type: 'revoke-ticket', ticket: app.tables.tickets.get(id) };
};

/** Whether a ticket lets a new node in at `at` (Unix ms), and if not, why. */
export const ticketState = (ticket: TicketRecord, at: number): TicketView['state'] => {
  if (ticket.revokedAt !== null) return 'revoked';
  if (ticket.expiresAt !== null && at >= ticket.expiresAt) return 'expired';
  return ticket.usesMax !== null && ticket.uses >= ticket.usesMax ? 'used-up' : 'open';
};

/** @throws TICKET_REVOKED, TICKET_EXPIRED, TICKET_USED_UP unless the ticket lets a new node in */
export const demandOpen = (ticket: TicketRecord, at: number): TicketRecord => {
  const details = { ticket: ticket.id };
  switch (ticketState(ticket, at)) {
    case 'open':
      return ticket;
    case 'revoked':
      throw mvmError('TICKET_REVOKED', `ticket ${ticket.id} was revoked: ask for a new one`, details);
    case 'expired':
      throw mvmError(
        'TICKET_EXPIRED',
        `ticket ${ticket.id} expired at ${new Date(ticket.expiresAt ?? at).toISOString()} by the control plane's clock: ask for a new one`,
        { ...details, expires_at_ms: ticket.expiresAt },
      );
    case 'used-up':
      throw mvmError(
        'TICKET_USED_UP',
        `ticket ${ticket.id} has let in ${ticket.uses} new node${ticket.uses === 1 ? '' : 's'}, which is all it is for: ask for a new one`,
        { ...details, uses: ticket.uses },
      );
  }
};

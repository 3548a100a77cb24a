/**
 * Makes, lists and revokes tickets. Owns the making of tokens; what is kept of one is its hash, and its text is in one
 * answer alone. How a ticket is written the peer plane says, once it is up.
 */
import { mvmError, type CreatedTicket, type CreateTicket, type TicketView } from '@mvm-ci/protocol';
import type { Clock } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import { ticketState } from '../machine/ticket.ts';
import type { TicketRecord } from '../machine/ticket-table.ts';
import type { Random } from '../random.ts';
import type { Store } from '../store/store.ts';
import { newToken, tokenHash } from '../trust/token-hash.ts';

/** What the office works with. */
export interface TicketOfficeParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
}

/** Writes a ticket that leads to the peer plane; `expiresAtMs` is undefined for one that doesn't expire. */
export type WriteTicket = (token: string, expiresAtMs: number | undefined) => string;

/** Of a hash: enough to tell ten thousand tickets apart. */
const idDigits = 12;

/** See the head of this file. */
export class TicketOffice {
  readonly #parts: TicketOfficeParts;
  #write: WriteTicket | undefined;

  constructor(parts: TicketOfficeParts) {
    this.#parts = parts;
  }

  /** From now on tickets can be made, and lead where `write` says. */
  serveAt(write: WriteTicket): void {
    this.#write = write;
  }

  /** Keeps the control plane's own ticket, for any number of workers: the same token again changes nothing, and tells its state. */
  async keepOwn(token: string): Promise<TicketView> {
    return this.#view(await this.#store(token, { name: 'endpoint.ticket' }, null));
  }

  /** @throws UNAVAILABLE before the peer plane is up, QUEUE_FULL when too many tickets are good */
  async create(wish: CreateTicket): Promise<CreatedTicket> {
    if (this.#write === undefined) throw mvmError('UNAVAILABLE', 'the peer plane, where tickets lead, is not up yet');
    const token = newToken(this.#parts.random);
    const expiresAt = wish.expires_in_ms === undefined ? null : this.#wholeSecondIn(wish.expires_in_ms);
    const record = await this.#store(token, wish, expiresAt);
    return { ...this.#view(record), ticket: this.#write(token, expiresAt ?? undefined) };
  }

  /** All tickets, the latest first. */
  async list(): Promise<readonly TicketView[]> {
    const { tickets } = await this.#parts.store.read<'tickets'>({ type: 'tickets' });
    return tickets.map((ticket) => this.#view(ticket));
  }

  /** @throws TICKET_NOT_FOUND */
  async revoke(id: string): Promise<TicketView> {
    const at = this.#parts.clock.wallMs();
    return this.#view((await this.#parts.store.apply<'revoke-ticket'>({ type: 'revoke-ticket', at, id })).ticket);
  }

  async #store(token: string, wish: CreateTicket, expiresAt: number | null): Promise<TicketRecord> {
    const hash = tokenHash(token);
    const { name = null, role = 'worker', tags = [], uses: usesMax = null } = wish;
    const { ticket } = await this.#parts.store.apply<'create-ticket'>({
      type: 'create-ticket',
      at: this.#parts.clock.wallMs(),
      id: hash.toHex().slice(0, idDigits),
      hash,
      name,
      role,
      tags: [...new Set(tags)],
      usesMax,
      expiresAt,
      ticketsMax: controlLimits.ticketsMax,
    });
    return ticket;
  }

  // A ticket's text has whole seconds, and both sides should say the same.
  #wholeSecondIn(ms: number): number {
    return Math.ceil((this.#parts.clock.wallMs() + ms) / 1_000) * 1_000;
  }

  #view(ticket: TicketRecord): TicketView {
    return {
      id: ticket.id,
      name: ticket.name,
      role: ticket.role,
      tags: ticket.tags,
      state: ticketState(ticket, this.#parts.clock.wallMs()),
      uses: ticket.uses,
      uses_max: ticket.usesMax,
      created_at_ms: ticket.createdAt,
      expires_at_ms: ticket.expiresAt,
      revoked_at_ms: ticket.revokedAt,
    };
  }
}

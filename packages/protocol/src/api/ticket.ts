import { z } from 'zod';
import { idSchema } from '../job.ts';
import { limits } from '../limits.ts';
import { nodeRoles, type NodeRole } from './node.ts';

/** Body of `POST /tickets`: what the ticket lets in. */
export interface CreateTicket {
  /** For people. @default none */
  readonly name?: string | undefined;
  /** What those who join by it may do. @default 'worker' */
  readonly role?: NodeRole | undefined;
  /** Of those who join by it. @default none */
  readonly tags?: readonly string[] | undefined;
  /** How many new nodes may join by it. @default any number */
  readonly uses?: number | undefined;
  /** @default never */
  readonly expires_in_ms?: number | undefined;
}

/** Checks {@link CreateTicket}. */
export const createTicketSchema: z.ZodType<CreateTicket> = z.strictObject({
  name: z.string().min(1).max(limits.idCharsMax).optional(),
  role: z.enum(nodeRoles).optional(),
  tags: z.array(idSchema).max(limits.tagsMax).optional(),
  uses: z.number().int().min(1).max(limits.ticketUsesMax).optional(),
  expires_in_ms: z.number().int().min(1_000).max(limits.ticketLifetimeMsMax).optional(),
});

/** A ticket as the operator sees it: its token is known to nobody but those who were given it. */
export interface TicketView {
  readonly id: string;
  readonly name: string | null;
  readonly role: NodeRole;
  readonly tags: readonly string[];
  /** Whether it lets a new node in now, and if not, why. */
  readonly state: 'open' | 'revoked' | 'expired' | 'used-up';
  /** Nodes that have joined by it. */
  readonly uses: number;
  /** Null: any number. */
  readonly uses_max: number | null;
  readonly created_at_ms: number;
  /** Null: never. */
  readonly expires_at_ms: number | null;
  readonly revoked_at_ms: number | null;
}

/** A new ticket: the only answer that has its text. */
export interface CreatedTicket extends TicketView {
  /** What a node joins with; it can't be shown again. */
  readonly ticket: string;
}

const time = z.number().int();
const view = {
  id: z.string(),
  name: z.string().nullable(),
  role: z.enum(nodeRoles),
  tags: z.array(z.string()),
  state: z.enum(['open', 'revoked', 'expired', 'used-up']),
  uses: z.number().int(),
  uses_max: z.number().int().nullable(),
  created_at_ms: time,
  expires_at_ms: time.nullable(),
  revoked_at_ms: time.nullable(),
};

/** Checks {@link TicketView}. */
export const ticketViewSchema: z.ZodType<TicketView> = z.object(view);

/** Checks {@link CreatedTicket}. */
export const createdTicketSchema: z.ZodType<CreatedTicket> = z.object({ ...view, ticket: z.string() });

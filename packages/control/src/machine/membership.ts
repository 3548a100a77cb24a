/** `join`, `leave`, `ban-node`, `allow-node`, `rename-node`, `touch-nodes`, `found`: who belongs to the cluster. */
import { mvmError } from '@mvm-ci/protocol';
import { commit, type Application } from './application.ts';
import { bannedError } from './ban.ts';
import type {
  AllowNodeCommand,
  BanNodeCommand,
  FoundCommand,
  JoinCommand,
  LeaveCommand,
  RenameNodeCommand,
  TouchNodesCommand,
} from './command.ts';
import { keptForMove } from './move.ts';
import type { NodeRecord } from './node-table.ts';
import type { ReplyTo } from './reply.ts';
import { demandOpen } from './ticket.ts';
import type { TicketRecord } from './ticket-table.ts';
import { released } from './transition.ts';

/**
 * Lets a node in: one that was in before by its proven id, a new one by a ticket's token, which counts as one use. The first
 * ticket decides role and tags.
 *
 * @throws UNAUTHENTICATED, TICKET_REVOKED, TICKET_EXPIRED, TICKET_USED_UP when a new node has no token that lets it in;
 * FORBIDDEN when the node is banned; ROLE_CONFLICT when a known node comes with a ticket of another role, or a new one with a
 * ticket whose role is of no use to it; QUEUE_FULL at `nodesMax` nodes
 */
export const join = (app: Application, command: JoinCommand): ReplyTo<'join'> => {
  const { nodes } = app.tables;
  const known = nodes.find(command.node);
  if (known === undefined) letIn(app, command);
  else joinAgain(app, known, command);
  return { type: 'join', known: known !== undefined, node: nodes.get(command.node) };
};

const joinAgain = (app: Application, known: NodeRecord, { node, name, at, tokenHash }: JoinCommand): void => {
  if (known.bannedAt !== null) throw bannedError(known);
  const ticket = tokenHash === null ? undefined : app.tables.tickets.findByHash(tokenHash);
  if (ticket !== undefined && ticket.role !== known.role) throw roleConflict(known, ticket);
  app.tables.nodes.sight(node, name, at);
};

const letIn = (app: Application, command: JoinCommand): void => {
  const { nodes, tickets } = app.tables;
  const ticket = demandTicket(app, command);
  const { roles } = command;
  if (roles?.includes(ticket.role) === false) throw ofNoUse(ticket, roles);
  if (nodes.count() >= command.nodesMax) {
    throw mvmError('QUEUE_FULL', `a cluster has at most ${command.nodesMax} nodes`, { nodesMax: command.nodesMax });
  }
  const { node, name, at } = command;
  nodes.insert({ node, name, joinedAt: at, role: ticket.role, tags: ticket.tags, ticket: ticket.id });
  tickets.countUse(ticket.id);
};

const demandTicket = (app: Application, { tokenHash, at }: JoinCommand): TicketRecord => {
  if (tokenHash === null) {
    throw mvmError('UNAUTHENTICATED', 'a node that joins for the first time needs the join token of a ticket');
  }
  const ticket = app.tables.tickets.findByHash(tokenHash);
  if (ticket !== undefined) return demandOpen(ticket, at);
  throw mvmError('UNAUTHENTICATED', 'the join token is not one of this cluster: take a new ticket');
};

const roleConflict = (known: NodeRecord, ticket: TicketRecord): Error =>
  mvmError(
    'ROLE_CONFLICT',
    `node ${known.node} joined as ${known.role}, and this ticket is for the role ${ticket.role}: a node keeps its first role, so use another node key: another folder in --data (a worker) or --client-data (a command)`,
    { node: known.node, role: known.role, ticket_role: ticket.role },
  );

const ofNoUse = ({ role }: TicketRecord, roles: readonly string[]): Error =>
  mvmError(
    'ROLE_CONFLICT',
    `this ticket is for the role ${role}, and what wants to join can only be ${roles.join(' or ')}: take a ticket of that role`,
    { ticket_role: role, roles },
  );

/**
 * Shuts a node out. The jobs that it holds are given to others at once: the ban is not their fault, so it counts neither as a
 * lost lease nor as a strike. Idempotent; the last reason stays.
 *
 * @throws NODE_NOT_FOUND
 */
export const banNode = (app: Application, { node, reason, at }: BanNodeCommand): ReplyTo<'ban-node'> => {
  const known = app.tables.nodes.get(node);
  app.tables.nodes.ban(node, known.bannedAt ?? at, reason);
  for (const job of app.tables.jobs.heldBy(node)) commit(app, { before: job, next: released(job, at), at });
  return { type: 'ban-node', node: app.tables.nodes.get(node) };
};

/** Gives a process's jobs to others at once: as it began none of them, it counts neither as a lost lease nor as a strike. Idempotent. */
export const leave = (app: Application, { worker, incarnation, at }: LeaveCommand): ReplyTo<'leave'> => {
  const held = app.tables.jobs.heldBy(worker).filter((job) => !job.bare && job.incarnation === incarnation);
  for (const job of held) commit(app, { before: job, next: keptForMove(app, released(job, at), at), at });
  return { type: 'leave', jobs: held.map(({ id }) => id) };
};

/** Lets a banned node in again. Idempotent. @throws NODE_NOT_FOUND */
export const allowNode = (app: Application, { node }: AllowNodeCommand): ReplyTo<'allow-node'> => {
  app.tables.nodes.allow(node);
  return { type: 'allow-node', node: app.tables.nodes.get(node) };
};

/** Names a node; what it calls itself counts no more. @throws NODE_NOT_FOUND */
export const renameNode = (app: Application, { node, name }: RenameNodeCommand): ReplyTo<'rename-node'> => {
  app.tables.nodes.rename(node, name);
  return { type: 'rename-node', node: app.tables.nodes.get(node) };
};

/** Stores when nodes were last seen. */
export const touchNodes = (app: Application, command: TouchNodesCommand): ReplyTo<'touch-nodes'> => {
  for (const { node, seenAt } of command.nodes) app.tables.nodes.touch(node, seenAt);
  return { type: 'touch-nodes' };
};

/** Names the cluster when it has no name yet. */
export const found = (app: Application, command: FoundCommand): ReplyTo<'found'> => {
  const existing = app.tables.nodes.fact('cluster');
  if (existing === undefined) app.tables.nodes.insertFact('cluster', command.cluster);
  return { type: 'found', cluster: existing ?? command.cluster };
};

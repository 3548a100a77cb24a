/** `join`, `create-token`, `touch-nodes`, `found`: who belongs to the cluster. */
import { mvmError } from '@mvm-ci/protocol';
import { timingSafeEqual } from 'node:crypto';
import type { Application } from './application.ts';
import type { CreateTokenCommand, FoundCommand, JoinCommand, TouchNodesCommand } from './command.ts';
import type { ReplyTo } from './reply.ts';

/**
 * Lets a node in: one that was in before by its proven id, a new one by a token.
 *
 * @throws UNAUTHENTICATED when a new node has no token, or a wrong one; QUEUE_FULL at `nodesMax` nodes
 */
export const join = (app: Application, command: JoinCommand): ReplyTo<'join'> => {
  const { nodes } = app.tables;
  if (nodes.find(command.node) !== undefined) {
    nodes.rename(command.node, command.name, command.at);
    return { type: 'join', known: true };
  }
  demandToken(app, command);
  if (nodes.count() >= command.nodesMax) {
    throw mvmError('QUEUE_FULL', `a cluster has at most ${command.nodesMax} nodes`, { nodesMax: command.nodesMax });
  }
  nodes.insert({ node: command.node, name: command.name, joinedAt: command.at, seenAt: command.at });
  return { type: 'join', known: false };
};

const demandToken = (app: Application, command: JoinCommand): void => {
  const { tokenHash } = command;
  if (tokenHash === null) {
    throw mvmError('UNAUTHENTICATED', 'a node that joins for the first time needs the join token of a ticket');
  }
  const known = app.tables.nodes.tokenHashes().filter((hash) => hash.length === tokenHash.length);
  if (known.some((hash) => timingSafeEqual(hash, tokenHash))) return;
  throw mvmError('UNAUTHENTICATED', 'the join token is not one of this cluster: take a new ticket');
};

/** Stores a join token's hash. */
export const createToken = (app: Application, command: CreateTokenCommand): ReplyTo<'create-token'> => {
  app.tables.nodes.insertToken(command.hash, command.at);
  return { type: 'create-token' };
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

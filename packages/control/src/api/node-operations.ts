/** `/nodes` and `/tickets`: who may join, who has, and who may no more. */
import {
  banSchema,
  createdTicketSchema,
  createTicketSchema,
  drainSchema,
  nodeViewSchema,
  renameSchema,
  ticketViewSchema,
} from '@mvm-ci/protocol';
import { z } from 'zod';
import type { Core } from '../core.ts';
import type { NodeRecord } from '../machine/node-table.ts';
import { nodeViews } from '../nodes/node-view.ts';
import { callRoll } from '../nodes/roll-call.ts';
import { bodyOf, noBody } from './body-spec.ts';
import { noSearch, operation, value, type Operation, type Outcome } from './operation.ts';

const nodes = operation({
  method: 'GET',
  route: 'nodes',
  access: 'operator',
  summary: 'Nodes that have joined: role, tags, how many jobs each holds, and how it is connected.',
  body: noBody,
  search: noSearch,
  answers: z.array(nodeViewSchema),
  run: async ({ core }) => {
    await callRoll(core);
    return value(nodeViews(core, core.nodes.list()));
  },
});

const shown = (core: Core, node: NodeRecord): Outcome => value(nodeViews(core, [node])[0]);

const ban = operation({
  method: 'POST',
  route: 'nodeBan',
  access: 'operator',
  summary:
    'Shut a node out: its connections are closed, its jobs go on elsewhere at once. By id, beginning of an id, or name.',
  body: bodyOf(banSchema.default({})),
  search: noSearch,
  answers: nodeViewSchema,
  run: async ({ core, parameter, body }) => {
    const banned = await core.nodes.ban(parameter, body.reason ?? '');
    core.claims.dismiss(({ worker }) => worker === banned.node);
    core.peers.expel(banned.node, 'this node is banned');
    return shown(core, banned);
  },
});

const drain = operation({
  method: 'POST',
  route: 'nodeDrain',
  access: 'operator',
  summary: 'Ask a worker to take no more jobs, finish or give back those that it holds, and end.',
  body: bodyOf(drainSchema.default({})),
  search: noSearch,
  answers: nodeViewSchema,
  run: ({ core, parameter, body }) => {
    const node = core.nodes.find(parameter);
    const { grace_ms: graceMs } = body;
    core.drains.ask(node, graceMs === undefined ? {} : { graceMs });
    core.claims.dismiss(({ worker }) => worker === node.node);
    return shown(core, node);
  },
});

const allow = operation({
  method: 'POST',
  route: 'nodeAllow',
  access: 'operator',
  summary: 'End the ban of a node: it may join again without a ticket.',
  body: noBody,
  search: noSearch,
  answers: nodeViewSchema,
  run: async ({ core, parameter }) => shown(core, await core.nodes.allow(parameter)),
});

const rename = operation({
  method: 'POST',
  route: 'nodeRename',
  access: 'operator',
  summary: 'Name a node; the name that it gives itself counts no more.',
  body: bodyOf(renameSchema),
  search: noSearch,
  answers: nodeViewSchema,
  run: async ({ core, parameter, body }) => shown(core, await core.nodes.rename(parameter, body.name)),
});

const tickets = operation({
  method: 'GET',
  route: 'tickets',
  access: 'operator',
  summary: 'All tickets, the latest first, without their texts.',
  body: noBody,
  search: noSearch,
  answers: z.array(ticketViewSchema),
  run: async ({ core }) => value(await core.tickets.list()),
});

const createTicket = operation({
  method: 'POST',
  route: 'tickets',
  access: 'operator',
  summary: 'Make a ticket. Its text is in this answer alone: only a hash of its token is kept.',
  body: bodyOf(createTicketSchema.default({})),
  search: noSearch,
  answers: createdTicketSchema,
  run: async ({ core, body }) => value(await core.tickets.create(body)),
});

const revoke = operation({
  method: 'POST',
  route: 'ticketRevoke',
  access: 'operator',
  summary: 'Revoke a ticket: it lets no new node in. Nodes that joined by it stay.',
  body: noBody,
  search: noSearch,
  answers: ticketViewSchema,
  run: async ({ core, parameter }) => value(await core.tickets.revoke(parameter)),
});

/** The operations of this file. */
export const nodeOperations: readonly Operation[] = [nodes, ban, drain, allow, rename, tickets, createTicket, revoke];

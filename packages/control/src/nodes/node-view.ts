import type { NodeView } from '@mvm-ci/protocol';
import type { Core } from '../core.ts';
import type { NodeRecord } from '../machine/node-table.ts';

/** Nodes as the API shows them, with what they hold and how they are connected now. */
export const nodeViews = (core: Core, nodes: readonly NodeRecord[]): readonly NodeView[] => {
  const held = core.leases.heldByWorker();
  return nodes.map((node) => ({
    node: node.node,
    name: node.name,
    role: node.role,
    tags: node.tags,
    ticket: node.ticket,
    joined_at_ms: node.joinedAt,
    seen_at_ms: node.seenAt,
    alive: core.nodes.isAlive(node),
    banned_at_ms: node.bannedAt,
    ban_reason: node.banReason,
    draining: core.drains.isAsked(node.node),
    jobs: held.get(node.node) ?? 0,
    connection: core.peers.view(node.node),
  }));
};

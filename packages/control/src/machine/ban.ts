import { mvmError } from '@mvm-ci/protocol';
import type { Application } from './application.ts';
import type { NodeRecord } from './node-table.ts';

/** @throws FORBIDDEN when `worker` is a banned node: a claim may overtake the ban on its way here */
export const demandAllowed = (app: Application, worker: string): void => {
  const node = app.tables.nodes.findBanned(worker);
  if (node !== undefined) throw bannedError(node);
};

/** What a banned node is told. */
export const bannedError = ({ node, bannedAt, banReason }: NodeRecord): Error =>
  mvmError('FORBIDDEN', `node ${node} is banned${banReason ? `: ${banReason}` : ''}`, {
    node,
    banned: true,
    banned_at_ms: bannedAt,
    reason: banReason,
  });

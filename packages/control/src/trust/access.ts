/**
 * Who may use which route (design, "Trust"). Each operation names its access; here it is decided what the roles of nodes
 * mean for it. The table is in `docs/reference/http-api.md`, and a test tries every route as everybody.
 *
 * 1. It is decided before a body is read, so that nobody makes the control plane unpack what it then refuses.
 * 2. What a worker may do to a job, its lease decides (I3): that is the state machine's.
 */
import { mvmError, routes, type NodeRole } from '@mvm-ci/protocol';
import type { Admitted, Caller } from '../api/caller.ts';
import type { Operation } from '../api/operation.ts';
import type { NodeRegistry } from '../nodes/node-registry.ts';

/**
 * Who may use a route besides the operator: everybody, also a peer that has not joined; members of any role; those that
 * run jobs; those that publish; nobody but admins, who may use all others as well.
 */
export type Access = 'anybody' | 'member' | 'worker' | 'publisher' | 'operator';

const rolesOf: Readonly<Record<Exclude<Access, 'anybody'>, readonly NodeRole[]>> = {
  member: ['worker', 'publisher', 'admin'],
  worker: ['worker', 'admin'],
  publisher: ['publisher', 'admin'],
  operator: ['admin'],
};

/**
 * Lets a caller use an operation.
 *
 * @throws NOT_JOINED for a stranger, FORBIDDEN for a node that is banned or of another role
 */
export const admit = (
  nodes: NodeRegistry,
  one: Pick<Operation, 'access' | 'method' | 'route'>,
  caller: Caller,
): Admitted => {
  if (caller.kind === 'operator') return caller;
  if (one.access === 'anybody') return { ...caller, role: 'stranger' };
  const { role } = nodes.demandMember(caller.node);
  const roles = rolesOf[one.access];
  if (roles.includes(role)) return { ...caller, role };
  throw mvmError(
    'FORBIDDEN',
    `${one.method} ${routes[one.route]} is for ${roles.join(', ')} and the operator, and this node is a ${role}`,
    { role, roles },
  );
};

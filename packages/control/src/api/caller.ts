import { mvmError, type NodeRole } from '@mvm-ci/protocol';

/** Who sends a request: the operator (HTTP), or a peer whose node id its connection has proven (iroh). */
export type Caller = { readonly kind: 'operator' } | { readonly kind: 'peer'; readonly node: string };

/** A caller that may use the operation, and what it is in this cluster. */
export type Admitted =
  | { readonly kind: 'operator' }
  | { readonly kind: 'peer'; readonly node: string; readonly role: NodeRole | 'stranger' };

/** Whether the caller may speak for others: an operator, or a node that may do everything that one may. */
export const speaksForOthers = (caller: Admitted): boolean => caller.kind === 'operator' || caller.role === 'admin';

/** The worker that the caller speaks for: a peer for itself, unless it is an admin and names another one. */
export const workerOf = (caller: Admitted, named: string | undefined): string => {
  if (named !== undefined && speaksForOthers(caller)) return named;
  if (caller.kind === 'peer') return caller.node;
  throw mvmError('INVALID_ARGUMENT', 'an operator who speaks for a worker names it in "worker"');
};

/**
 * Asks the workers that wait for jobs whether they are still there: their waiting claims are answered with nothing, and whoever
 * is alive asks again at once. Workers that hold jobs need not be asked, as their heartbeats come twice a second and their
 * leases run out without.
 *
 * 1. A worker that does not answer in time counts as gone until it is heard of again, so nobody waits for it twice.
 */
import type { Clock } from '@mvm-ci/protocol';
import type { ClaimQueue } from '../lease/claim-queue.ts';
import { controlLimits } from '../limits.ts';
import type { NodeRegistry } from './node-registry.ts';

/** What a roll call works with. */
export interface RollCallParts {
  readonly clock: Clock;
  readonly nodes: Pick<NodeRegistry, 'list' | 'isAlive' | 'heardOf' | 'noteSilence'>;
  readonly claims: Pick<ClaimQueue, 'dismiss' | 'waitingWorkers'>;
}

/** Resolves when all who were asked have answered, or `rollCallMs` is over. */
export const callRoll = async ({ clock, nodes, claims }: RollCallParts): Promise<void> => {
  const quietSince = clock.wallMs() - controlLimits.rollCallQuietMs;
  const waiting = claims.waitingWorkers();
  const quiet = nodes
    .list()
    .filter((node) => nodes.isAlive(node) && node.seenAt < quietSince && waiting.has(node.node));
  if (quiet.length === 0) return;
  const asked = new Set(quiet.map(({ node }) => node));
  const heard = nodes.heardOf(asked, controlLimits.rollCallMs);
  claims.dismiss(({ worker }) => asked.has(worker));
  for (const node of await heard) nodes.noteSilence(node);
};

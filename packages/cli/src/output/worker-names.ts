import type { JobView } from '@mvm-ci/protocol';
import type { CommandContext } from '../command-context.ts';
import type { WorkerNames } from './job-view.ts';

/**
 * The names of the workers of these jobs, for people; programs get ids. None where they can't be had: an engine server has no nodes, and
 * whoever comes with a ticket may not ask for them.
 */
export const workerNames = async (
  { terminal, client }: CommandContext,
  jobs: readonly JobView[],
): Promise<WorkerNames> => {
  const isHeld = jobs.some((job) => job.claimed_by !== null || job.completed_by !== null);
  if (terminal.isJson || !isHeld) return new Map();
  try {
    return new Map((await client().nodes()).map(({ node, name }) => [node, name]));
  } catch {
    return new Map();
  }
};

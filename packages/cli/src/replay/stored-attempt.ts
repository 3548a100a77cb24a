import type { Client } from '@mvm-ci/client';
import { mvmError, type JobView } from '@mvm-ci/protocol';
import type { StoredAttempt } from './local-replayer.ts';

/** An attempt of `job`, with its journal from the control plane. @default attempt the current one @throws INVALID_ARGUMENT */
export const storedAttempt = async (client: Client, job: JobView, attempt?: number): Promise<StoredAttempt> => {
  const { job_id: id, workflow } = job;
  if (workflow === null)
    throw mvmError('INVALID_ARGUMENT', `job "${id}" runs no workflow: there is nothing to replay`, { job_id: id });
  const { attempt: number, module, batches } = await client.journalBatches(id, { attempt });
  return { job: id, attempt: number, workflow: workflow.slice(workflow.indexOf('/') + 1), module, batches };
};

import { mvmError } from '@mvm-ci/protocol';

/** The refusal of an id that no job has. */
export const jobNotFound = (id: string): Error =>
  mvmError('JOB_NOT_FOUND', `no job has the id "${id}"`, { job_id: id });
